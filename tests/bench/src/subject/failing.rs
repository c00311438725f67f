//! Functions that fail, for the soak.

use arrow::datatypes::SchemaRef;
use flexconnect_bench as tables;
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, Output, async_trait};

/// Fails in order.
pub(crate) struct Fail;

#[async_trait]
impl FlexConnectFunction for Fail {
    fn name(&self) -> &'static str {
        "Fail"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Err(FunctionError::failed("the source is away"))
    }
}

/// Panics.
pub(crate) struct Panic;

#[async_trait]
impl FlexConnectFunction for Panic {
    fn name(&self) -> &'static str {
        "Panic"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    #[expect(clippy::panic, reason = "a panic is what the soak asks for")]
    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        panic!("a bug in the function")
    }
}
