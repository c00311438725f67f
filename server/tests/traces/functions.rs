//! Functions that end well, late, and badly.

use std::sync::Arc;
use std::time::Duration;

use flexconnect_server::arrow::array::{Int64Array, RecordBatch};
use flexconnect_server::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, Output, async_trait};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]))
}

/// Answers at once.
pub(crate) struct Quick;

#[async_trait]
impl FlexConnectFunction for Quick {
    fn name(&self) -> &'static str {
        "Quick"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Ok(RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(vec![1]))])?.into())
    }
}

/// Takes longer than a polling client waits.
pub(crate) struct Slow;

#[async_trait]
impl FlexConnectFunction for Slow {
    fn name(&self) -> &'static str {
        "Slow"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Quick.call(call).await
    }
}

/// Fails.
pub(crate) struct Broken;

#[async_trait]
impl FlexConnectFunction for Broken {
    fn name(&self) -> &'static str {
        "Broken"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Err(FunctionError::failed("it is broken"))
    }
}
