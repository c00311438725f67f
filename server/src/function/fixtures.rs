//! Functions for tests, made of a closure.

use std::future::Future;
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::Value;

use super::{Call, FlexConnectFunction, FromFn, FunctionError, Output, RegisteredFunction, Registry, from_fn};
use crate::error::ErrorCode;
use crate::task::{CallEnding, TaskId};

type Body = Box<dyn Fn(Call) -> BoxFuture<'static, Result<Output, FunctionError>> + Send + Sync>;

/// A function with one column `n` of integers, and a body given by the test.
pub(crate) struct Scripted {
    function: FromFn<Body>,
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
        let body: Body = Box::new(move |call| body(call).boxed());
        Self {
            function: from_fn(name, numbers_schema(), body),
            cancelled: Cancellations::default(),
        }
    }

    pub(crate) fn with_metadata(mut self, metadata: Value) -> Self {
        self.function = self.function.with_metadata(metadata);
        self
    }

    pub(crate) fn on_blocking_threads(mut self) -> Self {
        self.function = self.function.on_blocking_threads();
        self
    }

    pub(crate) fn cancellations(&self) -> Cancellations {
        Arc::clone(&self.cancelled)
    }

    /// The function as the only one of a registry.
    pub(crate) fn registered(self) -> Arc<RegisteredFunction> {
        let name = self.name().to_owned();
        let registry = Registry::builder().function(self).build().expect("a good function");
        Arc::clone(registry.get(&name).expect("just registered"))
    }
}

#[async_trait]
impl FlexConnectFunction for Scripted {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn schema(&self) -> SchemaRef {
        self.function.schema()
    }

    fn metadata(&self) -> Option<Value> {
        self.function.metadata()
    }

    fn blocking(&self) -> bool {
        self.function.blocking()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        self.function.call(call).await
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

/// What a refusal to read something tells the client; it must be `BAD_ARGUMENT`.
pub(crate) fn refusal(error: FunctionError) -> String {
    match error.into_ending() {
        CallEnding::Failed(error) => {
            assert_eq!(error.code(), Some(ErrorCode::BAD_ARGUMENT));
            error.message().to_owned()
        }
        CallEnding::Cancelled => panic!("not cancelled"),
    }
}

/// JSON of any shape; its keys and words are often those that execution contexts have.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: [&str; 24] = [
        "label",
        "values",
        "measure",
        "item",
        "identifier",
        "id",
        "type",
        "localIdentifier",
        "definition",
        "in",
        "notIn",
        "granularity",
        "from",
        "to",
        "dataset",
        "dateFilter",
        "relativeDateFilter",
        "positiveAttributeFilter",
        "conditions",
        "comparison",
        "operator",
        "DAY",
        "GREATER_THAN",
        "boundedFilter",
    ];
    let text = prop_oneof![prop::sample::select(&WORDS[..]).prop_map(str::to_owned), "\\PC{0,6}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}
