//! `start`: runs the server until a signal.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver};
use tracing::Instrument as _;

use super::{ConfigArguments, Outcome};
use crate::app::Server;
use crate::config::{Config, Provider, Warning};
use crate::telemetry::{self, Style, spans};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// What Python serves: `gooddata_flexconnect` or `gooddata_flexfun` for functions, any other module for the Flight RPC
    /// methods that its `@flight_server_methods` function makes. Goes before `python.methods_provider`.
    #[arg(long, value_name = "MODULE", value_parser = NonEmptyStringValueParser::new())]
    methods_provider: Option<String>,
    /// A file that steers Python's logging in functions (INI, as `logging.config.fileConfig` reads it).
    #[arg(long, value_name = "FILE")]
    logging_config: Option<PathBuf>,
    /// Load functions in Python anew when their files change; for development.
    #[arg(long)]
    reload: bool,
    /// Readable logs instead of JSON, coloured on a terminal.
    #[arg(long)]
    dev_log: bool,
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let (mut config, warnings) = arguments.config.load()?;
    config.python.logging_config = arguments.logging_config;
    if config.python.logging_config.is_some() {
        telemetry::python_decides();
    }
    if let Some(module) = arguments.methods_provider {
        config.python.provider = Provider::named(&module);
    }
    config.python.follow = arguments.reload;
    let style = if arguments.dev_log {
        Style::Readable {
            colour: io::stderr().is_terminal(),
        }
    } else {
        Style::Json {
            event_key: config.server.logs.event_key.clone(),
        }
    };
    let logs = &config.server.logs;
    // Kept to the end: it writes the last lines, and sends the last spans.
    let _telemetry = telemetry::start(style, logs.trace_keys.clone(), config.server.traces.as_ref())?;
    for Warning { key, source, text } in &warnings {
        tracing::warn!(key, %source, advice = text, "config_warning");
    }
    if arguments.reload && !config.python.serves() {
        let advice = "--reload has no effect: nothing is served from Python";
        tracing::warn!(advice, "config_warning");
    }
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async { serve(server, config, signals()?).await });
    // A function that does not let go of its thread must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(code) => Ok(code),
        Err(error) => {
            tracing::error!(exception = %telemetry::chain(&*error), "server_startup_interrupted");
            Err(error)
        }
    }
}

/// Serves until the first signal, then drains; a second signal does not wait for that.
async fn serve(server: Server, config: Config, mut signals: Receiver<&'static str>) -> Outcome {
    let running = tokio::select! {
        running = server.start(config).instrument(spans::server_start()) => running?,
        // Nothing is served yet, so nobody has to be waited for.
        Some(name) = signals.recv() => {
            tracing::info!(signal = name, "server_startup_abandoned");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if let Some(name) = signals.recv().await {
        tracing::info!(signal = name, "signal_received");
    }
    tokio::select! {
        _ = running.drain() => Ok(ExitCode::SUCCESS),
        Some(name) = signals.recv() => {
            tracing::warn!(signal = name, "drain_abandoned");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The names of the signals that come: SIGTERM and SIGINT, which mean the same.
fn signals() -> io::Result<Receiver<&'static str>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            // Two signals are all that matter; a full channel holds them already.
            let _ = sender.try_send(name);
        }
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use arrow::datatypes::{Schema, SchemaRef};
    use async_trait::async_trait;
    use tokio::time::timeout;

    use super::*;
    use crate::config::{self, Inputs};
    use crate::function::{Call, FlexConnectFunction, FunctionError, LoadContext, Output};

    /// Never finishes loading.
    struct Endless;

    #[async_trait]
    impl FlexConnectFunction for Endless {
        fn name(&self) -> &'static str {
            "Endless"
        }

        fn schema(&self) -> SchemaRef {
            Arc::new(Schema::empty())
        }

        async fn on_load(&self, _context: &LoadContext) -> Result<(), FunctionError> {
            std::future::pending().await
        }

        async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
            Err(FunctionError::cancelled())
        }
    }

    #[tokio::test]
    async fn a_signal_while_functions_load_ends_the_start() {
        let (mut config, _) = config::load(&Inputs {
            machine_name: "here".to_owned(),
            ..Inputs::default()
        })
        .unwrap();
        config.server.listen.port = 0;
        let server = Server::builder().function(Endless).build();
        let (sender, receiver) = mpsc::channel(1);
        sender.send("SIGTERM").await.unwrap();
        let outcome = timeout(Duration::from_secs(20), serve(server, config, receiver))
            .await
            .unwrap();
        assert_eq!(outcome.unwrap(), ExitCode::SUCCESS);
    }
}
