//! Functions for tests, made of a closure.

use std::future::Future;
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::{Call, FlexConnectFunction, FunctionError, Output, RegisteredFunction, Registry};
use crate::task::TaskId;

type Body = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Output, FunctionError>> + Send + Sync>;

/// A function with one column `n` of integers, and a body given by the test.
pub(crate) struct Scripted {
    name: &'static str,
    metadata: Option<Value>,
    blocking: bool,
    body: Body,
    cancelled: Cancellations,
}

/// The tasks whose cancel hook ran.
pub(crate) type Cancellations = Arc<Mutex<Vec<TaskId>>>;

impl Scripted {
    pub(crate) fn new<F, B>(name: &'static str, body: B) -> Self
    where
        F: Future<Output = Result<Output, FunctionError>> + Send + 'static,
        B: Fn(Call) -> F + Send + Sync + 'static,
    {
        Self {
            name,
            metadata: None,
            blocking: false,
            body: Box::new(move |call| body(call).boxed()),
            cancelled: Cancellations::default(),
        }
    }

    pub(crate) fn with_metadata(mut self, metadata: Value) -> Self {
        self.metadata = Some(metadata);
        self
    }

    pub(crate) fn on_blocking_threads(mut self) -> Self {
        self.blocking = true;
        self
    }

    pub(crate) fn cancellations(&self) -> Cancellations {
        Arc::clone(&self.cancelled)
    }

    /// The function as the only one of a registry.
    pub(crate) fn registered(self) -> Arc<RegisteredFunction> {
        let name = self.name;
        let registry = Registry::builder().function(self).build().expect("a good function");
        Arc::clone(registry.get(name).expect("just registered"))
    }
}

#[async_trait]
impl FlexConnectFunction for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn schema(&self) -> SchemaRef {
        numbers_schema()
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

    fn cancel(&self, task: &TaskId) {
        self.cancelled.lock().expect("not poisoned").push(*task);
    }
}

pub(crate) fn numbers_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

pub(crate) fn numbers(values: &[i64]) -> RecordBatch {
    let column = Int64Array::from(values.to_vec());
    RecordBatch::try_new(numbers_schema(), vec![Arc::new(column)]).expect("one column of integers")
}
