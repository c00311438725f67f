//! `call`: runs one function in this process and prints its rows.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt as _;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::rows::{Format, Rows};
use super::{ConfigArguments, Outcome};
use crate::app::Server;
use crate::config::Config;
use crate::function::{self, Call, FunctionError, LoadContext, Output, RegisteredFunction, Registry};
use crate::net;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function's name.
    function: String,
    /// What GoodData would send as `parameters`: a JSON object, or `@` and the path of a file with one.
    #[arg(short, long, value_name = "JSON", default_value = "{}", value_parser = parse_parameters)]
    parameters: Map<String, Value>,
    /// How to print the rows.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    config: ConfigArguments,
}

/// Why a function gave no rows.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("there is no function '{name}'; {known}")]
    Unknown { name: String, known: String },
    #[error("'{name}' took longer than flexconnect.call_deadline_ms = {millis}")]
    TimedOut { name: String, millis: u128 },
    #[error("'{name}' failed: {reason}")]
    Failed { name: String, reason: String },
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let Arguments {
        function,
        parameters,
        output,
        config,
    } = arguments;
    let config = super::quiet_start(config)?;
    let registry = server.into_registry()?;
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(call(
        &registry,
        config,
        &function,
        parameters,
        output,
        std::io::stdout(),
    ));
    // A function that does not let go of its thread must not keep the process.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Loads the functions, runs the one, and prints its rows as they come.
async fn call(
    registry: &Registry,
    config: Config,
    name: &str,
    parameters: Map<String, Value>,
    format: Format,
    out: impl Write,
) -> Result<(), Box<dyn Error>> {
    let function = registry.get(name).ok_or_else(|| CallError::Unknown {
        name: name.to_owned(),
        known: names(registry),
    })?;
    let location = net::location(&config.server.advertise, config.server.tls.is_some());
    registry.load(&LoadContext::new(config.tables, location)).await?;

    let failed = |error: FunctionError| CallError::Failed {
        name: name.to_owned(),
        reason: error.to_string(),
    };
    let mut batches = evaluate(function, parameters, config.flexconnect.call_deadline)
        .await?
        .into_batches();
    let mut rows = Rows::new(format, Arc::clone(batches.schema()), out);
    while let Some(batch) = batches.next().await {
        rows.write(&batch.map_err(failed)?)?;
    }
    Ok(rows.finish()?)
}

/// The function's result, within the time that a server would give it.
async fn evaluate(
    function: &Arc<RegisteredFunction>,
    parameters: Map<String, Value>,
    deadline: Duration,
) -> Result<Output, CallError> {
    let name = || function.name().to_owned();
    let call = Call::new(parameters);
    let cancelled = call.cancelled.clone();
    let Ok(ended) = timeout(deadline, function::start(Arc::clone(function), call)).await else {
        cancelled.cancel();
        return Err(CallError::TimedOut {
            name: name(),
            millis: deadline.as_millis(),
        });
    };
    ended
        .unwrap_or_else(|error| Err(function::panicked(&error)))
        .map_err(|error| CallError::Failed {
            name: name(),
            reason: error.to_string(),
        })
}

fn names(registry: &Registry) -> String {
    let names = registry.iter().map(|function| function.name()).collect::<Vec<_>>();
    if names.is_empty() {
        "none is registered".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    }
}

/// A JSON object; `@path` reads it from a file.
fn parse_parameters(text: &str) -> Result<Map<String, Value>, String> {
    let read = |path| fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"));
    let text = match text.strip_prefix('@') {
        Some(path) => read(path)?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| format!("it must be a JSON object: {error}"))
}

#[cfg(test)]
mod tests;
