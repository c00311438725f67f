//! Functions made of a name, columns and a body.

use std::future::Future;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::Value;

use super::{Call, FlexConnectFunction, FunctionError, Output};

/// A function whose body is an `async fn` or a closure. It has nothing to load; what has implements
/// [`FlexConnectFunction`].
///
/// ```
/// use std::sync::Arc;
///
/// use flexconnect_server::arrow::array::{Int64Array, RecordBatch};
/// use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};
/// use flexconnect_server::{Call, FunctionError, Output, Server, from_fn};
///
/// async fn squares(call: Call) -> Result<Output, FunctionError> {
///     let up_to = call.parameter::<i64>("up_to")?.unwrap_or(3);
///     let squares = Int64Array::from_iter_values((1..=up_to).map(|number| number * number));
///     Ok(RecordBatch::try_from_iter([("square", Arc::new(squares) as _)])?.into())
/// }
///
/// let columns = Schema::new(vec![Field::new("square", DataType::Int64, false)]);
/// let server = Server::builder().function(from_fn("Squares", columns, squares)).build();
/// ```
pub fn from_fn<B, F>(name: impl Into<String>, schema: impl Into<SchemaRef>, body: B) -> FromFn<B>
where
    B: Fn(Call) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Output, FunctionError>> + Send + 'static,
{
    FromFn {
        name: name.into(),
        schema: schema.into(),
        metadata: None,
        blocking: false,
        body,
    }
}

/// Made by [`from_fn`].
pub struct FromFn<B> {
    name: String,
    schema: SchemaRef,
    metadata: Option<Value>,
    blocking: bool,
    body: B,
}

impl<B> FromFn<B> {
    /// See [`FlexConnectFunction::metadata`].
    #[must_use]
    pub fn with_metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// The body computes for long, or blocks its thread. See [`FlexConnectFunction::blocking`].
    #[must_use]
    pub fn on_blocking_threads(mut self) -> Self {
        self.blocking = true;
        self
    }
}

impl<B> std::fmt::Debug for FromFn<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromFn")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl<B, F> FlexConnectFunction for FromFn<B>
where
    B: Fn(Call) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Output, FunctionError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn metadata(&self) -> Option<Value> {
        self.metadata.clone()
    }

    fn blocking(&self) -> bool {
        self.blocking
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        (self.body)(call).await
    }
}
