//! A function that returns the same rows whatever it is asked.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, Output};
use serde_json::Value;

/// A name, the declared columns, and what makes the table.
pub(crate) struct Sample {
    name: &'static str,
    schema: SchemaRef,
    metadata: Option<Value>,
    batches: fn() -> Result<Vec<RecordBatch>, ArrowError>,
}

impl Sample {
    pub(crate) fn new(
        name: &'static str,
        schema: SchemaRef,
        batches: fn() -> Result<Vec<RecordBatch>, ArrowError>,
    ) -> Self {
        Self {
            name,
            schema,
            metadata: None,
            batches,
        }
    }

    pub(crate) fn with_metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

#[async_trait]
impl FlexConnectFunction for Sample {
    fn name(&self) -> &str {
        self.name
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn metadata(&self) -> Option<Value> {
        self.metadata.clone()
    }

    /// The result has the columns of its rows, which may be others than the declared ones.
    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        let batches = (self.batches)()?;
        let schema = batches.first().map_or_else(|| self.schema.clone(), RecordBatch::schema);
        Ok(Output::table(schema, batches))
    }
}
