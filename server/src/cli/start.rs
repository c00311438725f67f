//! `start`: runs the server until a signal.

use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::{ConfigArguments, Outcome};
use crate::app::{Server, StartError};
use crate::config::{Config, Warning};
use crate::telemetry::{self, Style};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Readable logs instead of JSON, coloured on a terminal.
    #[arg(long)]
    dev_log: bool,
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let (config, warnings) = arguments.config.load()?;
    let style = if arguments.dev_log {
        Style::Readable {
            colour: io::stderr().is_terminal(),
        }
    } else {
        Style::Json {
            event_key: config.server.log_event_key.clone(),
        }
    };
    telemetry::start(style, false);
    for Warning { key, source, text } in &warnings {
        tracing::warn!(key, %source, advice = text, "config_warning");
    }
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(serve(server, config));
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
async fn serve(server: Server, config: Config) -> Outcome {
    let mut signals = Signals::listen()?;
    let running = tokio::select! {
        running = server.start(config) => running.map_err(Box::<StartError>::from)?,
        // Nothing is served yet, so nobody has to be waited for.
        name = signals.next() => {
            tracing::info!(signal = name, "server_startup_abandoned");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let name = signals.next().await;
    tracing::info!(signal = name, "signal_received");
    Ok(unless_signalled(&mut signals, running.drain()).await)
}

async fn unless_signalled(signals: &mut Signals, drain: impl Future) -> ExitCode {
    tokio::select! {
        _ = drain => ExitCode::SUCCESS,
        name = signals.next() => {
            tracing::warn!(signal = name, "drain_abandoned");
            ExitCode::FAILURE
        }
    }
}

/// SIGTERM and SIGINT, which mean the same.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
