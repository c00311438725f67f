//! Calls a function in this process, as a server would.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{CallError, Rows};
use crate::config::Config;
use crate::function::{self, Call, FunctionError, LoadContext, Output, RegisteredFunction, Registry};
use crate::net;

/// How long a call may go on after it was cancelled.
const GRACE: Duration = Duration::from_secs(5);

/// Loads the functions and runs the one. `None` when it was interrupted.
pub(super) async fn call(
    registry: &Registry,
    config: Config,
    name: &str,
    parameters: Map<String, Value>,
    interrupted: &CancellationToken,
) -> Result<Option<Rows>, CallError> {
    let function = registry.get(name).ok_or_else(|| CallError::Unknown {
        name: name.to_owned(),
        known: names(registry),
    })?;
    let location = net::location(&config.server.advertise, config.server.tls.is_some());
    let context = LoadContext::new(config.tables, location);
    tokio::select! {
        () = interrupted.cancelled() => return Ok(None),
        loaded = registry.load(&context) => loaded?,
    }
    let own = config.flexconnect.limits.of(name).call_deadline;
    let deadline = own.unwrap_or(config.flexconnect.call_deadline);
    let Some(output) = evaluate(function, parameters, deadline, interrupted).await? else {
        return Ok(None);
    };
    let batches = output.into_batches();
    let name = name.to_owned();
    Ok(Some(Rows {
        schema: Arc::clone(batches.schema()),
        batches: batches
            .map(move |batch: Result<RecordBatch, FunctionError>| batch.map_err(|error| failed(&name, &error)))
            .boxed(),
    }))
}

/// The function's result, within the time that a server would give it.
async fn evaluate(
    function: &Arc<RegisteredFunction>,
    parameters: Map<String, Value>,
    deadline: Duration,
    interrupted: &CancellationToken,
) -> Result<Option<Output>, CallError> {
    let call = Call::new(parameters);
    let (task, cancelled) = (call.task_id, call.cancelled.clone());
    let mut ended = function::start(Arc::clone(function), call);
    let late = tokio::select! {
        ended = &mut ended => {
            let output = ended.unwrap_or_else(|error| Err(function::panicked(&error)));
            return output.map(Some).map_err(|error| failed(function.name(), &error));
        }
        () = sleep(deadline) => true,
        () = interrupted.cancelled() => false,
    };
    cancelled.cancel();
    let told = Arc::clone(function);
    tokio::task::spawn_blocking(move || told.implementation().cancel(&task));
    // What it makes of the cancellation does not matter, only that it may clean up.
    let _ = timeout(GRACE, ended).await;
    if late {
        return Err(CallError::TimedOut {
            name: function.name().to_owned(),
            millis: deadline.as_millis(),
        });
    }
    Ok(None)
}

/// The message, the code, and the causes, which a client would not be told.
fn failed(name: &str, error: &FunctionError) -> CallError {
    CallError::Failed {
        name: name.to_owned(),
        reason: error.to_string().trim_end_matches('.').to_owned(),
        code: error.code(),
    }
}

fn names(registry: &Registry) -> String {
    let names = registry.iter().map(|function| function.name()).collect::<Vec<_>>();
    if names.is_empty() {
        "none is registered".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    }
}
