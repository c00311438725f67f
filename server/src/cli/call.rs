//! `call`: runs one function in this process and prints its rows.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt as _;
use serde_json::{Map, Value};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::rows::{Format, Rows};
use super::{ConfigArguments, Outcome};
use crate::app::Server;
use crate::config::Config;
use crate::function::{self, Call, LoadContext, Output, Registry};
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
    let config = super::quiet_start(arguments.config)?;
    let registry = server.into_registry()?;
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(call(
        registry,
        config,
        &arguments.function,
        arguments.parameters,
        arguments.output,
    ));
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn call(
    registry: Registry,
    config: Config,
    name: &str,
    parameters: Map<String, Value>,
    format: Format,
) -> Result<(), Box<dyn std::error::Error>> {
    let known = registry.get(name).map(Arc::clone).ok_or_else(|| CallError::Unknown {
        name: name.to_owned(),
        known: names(&registry),
    })?;
    let location = net::location(&config.server.advertise, config.server.tls.is_some());
    registry.load(&LoadContext::new(config.tables, location)).await?;

    let deadline = config.flexconnect.call_deadline;
    let call = Call::new(parameters);
    let cancelled = call.cancelled.clone();
    let failed = |reason: String| CallError::Failed {
        name: name.to_owned(),
        reason,
    };
    let Ok(ended) = timeout(deadline, function::start(known, call)).await else {
        cancelled.cancel();
        return Err(CallError::TimedOut {
            name: name.to_owned(),
            millis: deadline.as_millis(),
        }
        .into());
    };
    let output: Output = ended
        .unwrap_or_else(|error| Err(function::panicked(&error)))
        .map_err(|error| failed(error.to_string()))?;
    let mut batches = output.into_batches();
    let mut rows = Rows::new(format, Arc::clone(batches.schema()), std::io::stdout());
    while let Some(batch) = batches.next().await {
        rows.write(&batch.map_err(|error| failed(error.to_string()))?)?;
    }
    Ok(rows.finish()?)
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
mod tests {
    use super::*;

    #[test]
    fn parameters_are_an_object_or_a_file_with_one() {
        assert_eq!(parse_parameters(r#"{"a": 1}"#).unwrap()["a"], 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parameters.json");
        fs::write(&path, r#"{"b": 2}"#).unwrap();
        assert_eq!(parse_parameters(&format!("@{}", path.display())).unwrap()["b"], 2);
        assert!(
            parse_parameters("[1]")
                .unwrap_err()
                .starts_with("it must be a JSON object: ")
        );
        assert!(
            parse_parameters("@/nowhere")
                .unwrap_err()
                .starts_with("/nowhere cannot be read: ")
        );
    }
}
