//! A function in Python, as the server sees it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::Value;

use super::shared::Shared;
use super::weight::Weight;
use super::wire::Listed;
use super::{PythonError, call};
use crate::function::{Call, FlexConnectFunction, FunctionError, Output};
use crate::ipc::SchemaMessage;
use crate::task::TaskId;

/// A function that worker processes have loaded.
pub(crate) struct PythonFunction {
    name: String,
    schema: SchemaRef,
    message: SchemaMessage,
    metadata: Option<Value>,
    shared: Arc<Shared>,
    weight: Weight,
}

impl PythonFunction {
    pub(super) fn new(listed: Listed, shared: &Arc<Shared>) -> Result<Self, PythonError> {
        let Listed { name, schema, metadata } = listed;
        let read = SchemaMessage::cut(schema).and_then(|message| Ok((message.columns()?, message)));
        let (columns, message) = read.map_err(|error| PythonError::Schema {
            name: name.clone(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            schema: columns,
            message,
            metadata,
            shared: Arc::clone(shared),
            weight: Weight::default(),
            name,
        })
    }

    /// The schema as Python wrote it.
    pub(crate) const fn schema_message(&self) -> &SchemaMessage {
        &self.message
    }
}

#[async_trait]
impl FlexConnectFunction for PythonFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn metadata(&self) -> Option<Value> {
        self.metadata.clone()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        call::call(&self.shared, &self.name, &self.weight, call).await
    }

    fn cancel(&self, task: &TaskId) {
        self.shared.cancel(*task);
    }
}
