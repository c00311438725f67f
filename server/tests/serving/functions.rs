//! Functions that do what a test needs.

use std::sync::Arc;

use flexconnect_server::arrow::array::{Int64Array, RecordBatch};
use flexconnect_server::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, LoadContext, Output, async_trait};
use futures::stream;
use tokio::sync::Semaphore;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]))
}

fn batch(numbers: Vec<i64>) -> RecordBatch {
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(numbers))]).unwrap()
}

/// Answers at once, with three rows.
pub(crate) struct Numbers;

#[async_trait]
impl FlexConnectFunction for Numbers {
    fn name(&self) -> &'static str {
        "Numbers"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Ok(batch(vec![1, 2, 3]).into())
    }
}

/// Refuses everybody by name.
pub(crate) struct Doorman;

#[async_trait]
impl FlexConnectFunction for Doorman {
    fn name(&self) -> &'static str {
        "Doorman"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let name = call.identity.subject.as_deref().unwrap_or("nobody");
        Err(FunctionError::bad_argument(format!("not {name}")))
    }
}

/// What a test opens, and what tells it that somebody waits.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) waiting: Arc<Semaphore>,
    pub(crate) open: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn closed() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(0)),
        }
    }

    /// Waits until somebody stands before the gate.
    pub(crate) async fn somebody_waits(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }

    /// Lets one pass.
    pub(crate) fn let_one_pass(&self) {
        self.open.add_permits(1);
    }

    async fn pass(&self) {
        self.waiting.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }
}

/// Answers when the gate is opened; loads when the other one is.
pub(crate) struct Gated {
    pub(crate) calls: Gate,
    pub(crate) load: Option<Gate>,
}

#[async_trait]
impl FlexConnectFunction for Gated {
    fn name(&self) -> &'static str {
        "Gated"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn on_load(&self, _context: &LoadContext) -> Result<(), FunctionError> {
        if let Some(gate) = &self.load {
            gate.pass().await;
        }
        Ok(())
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        self.calls.pass().await;
        Ok(batch(vec![1]).into())
    }
}

/// Streams two batches, the second of them when the gate is opened.
pub(crate) struct Streamed(pub(crate) Gate);

#[async_trait]
impl FlexConnectFunction for Streamed {
    fn name(&self) -> &'static str {
        "Streamed"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        let gate = self.0.clone();
        let batches = stream::unfold(0, move |step| {
            let gate = gate.clone();
            async move {
                match step {
                    0 => Some((Ok(batch(vec![1])), 1)),
                    1 => {
                        gate.pass().await;
                        Some((Ok(batch(vec![2])), 2))
                    }
                    _ => None,
                }
            }
        });
        Ok(Output::stream(schema(), batches))
    }
}

/// Does not load.
pub(crate) struct Unloadable;

#[async_trait]
impl FlexConnectFunction for Unloadable {
    fn name(&self) -> &'static str {
        "Unloadable"
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    async fn on_load(&self, _context: &LoadContext) -> Result<(), FunctionError> {
        Err(FunctionError::failed("the warehouse is gone"))
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Err(FunctionError::failed("it did not load"))
    }
}
