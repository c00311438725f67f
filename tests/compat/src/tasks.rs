//! Functions that take their time; the journal of the stage tells what became of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, LoadContext, Output};
use flexconnect_server::task::TaskId;
use serde_json::Value;
use tokio::time::sleep;

use crate::stage;

/// The journal's keys of the calls under way, for the hook that knows a task only by its id.
#[derive(Default)]
struct Keys(Mutex<HashMap<TaskId, String>>);

impl Keys {
    fn begin(&self, call: &Call) -> Result<String, FunctionError> {
        let key = call.parameters.get("key").and_then(Value::as_str);
        let key = key.ok_or_else(|| FunctionError::bad_argument("parameter 'key' is missing"))?;
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(call.task_id, key.to_owned());
        stage::note(key, "started")?;
        Ok(key.to_owned())
    }

    fn cancel(&self, task: &TaskId) {
        let key = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(task).cloned();
        let noted = stage::note(key.as_deref().unwrap_or("unknown"), "hook");
        debug_assert!(noted.is_ok(), "the journal can be written");
    }
}

/// Sleeps `seconds`, and ends early when it is cancelled: properly, or (`rude`) with an error of its own.
#[derive(Default)]
pub(crate) struct Sleeper(Keys);

#[async_trait]
impl FlexConnectFunction for Sleeper {
    fn name(&self) -> &'static str {
        "Sleeper"
    }

    fn schema(&self) -> SchemaRef {
        done()
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        stage::load(context)
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let key = self.0.begin(&call)?;
        let seconds = call
            .parameters
            .get("seconds")
            .and_then(Value::as_f64)
            .unwrap_or_default();
        tokio::select! {
            () = sleep(Duration::from_secs_f64(seconds)) => {
                stage::note(&key, "finished")?;
                outcome("slept")
            }
            () = call.cancelled.cancelled() => {
                stage::note(&key, "cancelled")?;
                let rude = call.parameters.get("rude").and_then(Value::as_bool).unwrap_or_default();
                Err(if rude { FunctionError::failed("driver: query interrupted") } else { FunctionError::cancelled() })
            }
        }
    }

    fn cancel(&self, task: &TaskId) {
        self.0.cancel(task);
    }
}

/// Waits for the file `release-KEY` on the stage, whoever cancels it. It blocks its thread, and says so.
#[derive(Default)]
pub(crate) struct Stubborn(Keys);

#[async_trait]
impl FlexConnectFunction for Stubborn {
    fn name(&self) -> &'static str {
        "Stubborn"
    }

    fn schema(&self) -> SchemaRef {
        done()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        stage::load(context)
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let key = self.0.begin(&call)?;
        let released = stage::wait_for(&format!("release-{key}"));
        stage::note(&key, "finished")?;
        outcome(if released { "released" } else { "gave up" })
    }

    fn cancel(&self, task: &TaskId) {
        self.0.cancel(task);
    }
}

/// Loads only once the file `open` is on the stage, where the setting `compat.late` asks for it.
pub(crate) struct LateLoader;

#[async_trait]
impl FlexConnectFunction for LateLoader {
    fn name(&self) -> &'static str {
        "LateLoader"
    }

    fn schema(&self) -> SchemaRef {
        done()
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        stage::load(context)?;
        if context.get::<bool>("compat.late")?.unwrap_or_default() {
            tokio::task::spawn_blocking(|| stage::wait_for("open")).await?;
        }
        if context.get::<bool>("compat.broken")?.unwrap_or_default() {
            return Err(FunctionError::bad_argument("the function does not want to load"));
        }
        Ok(())
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        outcome("loaded")
    }
}

fn done() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("done", DataType::Utf8, true)]))
}

fn outcome(text: &str) -> Result<Output, FunctionError> {
    Ok(RecordBatch::try_new(done(), vec![Arc::new(StringArray::from(vec![text]))])?.into())
}
