//! `call`: runs one function, here or on a server, and prints its rows.

mod here;
mod parameters;
mod progress;

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use clap::Args;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use self::parameters::Parameters;
#[cfg(feature = "fuzzing")]
pub(crate) use self::parameters::fuzz_argument;
use self::progress::Progress;
use super::remote::{self, RemoteError, Reply, ServerArguments, Waiting};
use super::rows::{Destination, Format, Sink};
use super::terminal::say;
use super::{ConfigArguments, Outcome};
use crate::app::Server;
use crate::app::load::with_python;
use crate::error::ErrorCode;
use crate::function::{LoadError, RegistryError};
use crate::net;
use crate::worker::{Python, Setting};

/// What a shell expects of a program that ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// A wait that people notice.
const NOTICED: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The function's name.
    function: String,
    #[command(flatten)]
    parameters: Parameters,
    /// How the rows look.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the rows to this file, which appears when it is complete.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Stop after so many rows. A table stops after 1000 unless told otherwise.
    #[arg(short, long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    server: ServerArguments,
    /// Wait for the result in one request, instead of asking again and again.
    #[arg(long, requires = "url", help_heading = "A server elsewhere")]
    no_poll: bool,
}

/// Why there are no rows, or no more.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("there is no function '{name}'; {known}")]
    Unknown { name: String, known: String },
    #[error("'{name}' took longer than its call_deadline_ms = {millis}")]
    TimedOut { name: String, millis: u128 },
    #[error("'{name}' failed: {reason} [{code}]")]
    Failed {
        name: String,
        reason: String,
        code: ErrorCode,
    },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// Rows to come, wherever they come from.
struct Rows {
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, CallError>>,
}

impl Rows {
    /// The same rows, and the workers that make them until all were read.
    fn keeping(self, python: Option<Python>) -> Self {
        let kept = self.batches.map(move |batch| {
            let _ = &python;
            batch
        });
        Self {
            schema: self.schema,
            batches: kept.boxed(),
        }
    }
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let destination = Destination::of(arguments.output.clone(), arguments.format)?;
    let runtime = Runtime::new()?;
    let outcome = runtime.block_on(async {
        let interrupted = CancellationToken::new();
        let listening = tokio::spawn(cancel_on_ctrl_c(interrupted.clone()));
        let progress = Progress::on_stderr();
        progress.says(format!("{} computes", arguments.function));
        let limit = arguments.limit;
        let printed = match call(server, arguments, &interrupted).await? {
            Some(rows) => print(rows, destination, limit, progress, &interrupted).await?,
            None => Printed::Interrupted,
        };
        listening.abort();
        Ok(match printed {
            Printed::All => ExitCode::SUCCESS,
            Printed::Interrupted => {
                say(&"cancelled");
                ExitCode::from(INTERRUPTED)
            }
        })
    });
    // A function that does not let go of its thread must not keep the process.
    runtime.shutdown_background();
    outcome
}

async fn cancel_on_ctrl_c(interrupted: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        interrupted.cancel();
    }
    let again = tokio::signal::ctrl_c();
    tokio::pin!(again);
    let asked = tokio::select! {
        asked = &mut again => asked,
        () = tokio::time::sleep(NOTICED) => {
            say(&"the function has some seconds to end by itself; Ctrl-C again does not wait");
            again.await
        }
    };
    // Who asks twice does not want to wait for anything.
    if asked.is_ok() {
        std::process::exit(INTERRUPTED.into());
    }
}

/// The rows of the call; `None` when it was interrupted before there were any.
async fn call(
    server: Server,
    arguments: Arguments,
    interrupted: &CancellationToken,
) -> Result<Option<Rows>, Box<dyn Error>> {
    let name = arguments.function;
    let parameters = arguments.parameters.into_object();
    let Some(url) = &arguments.server.url else {
        let config = super::quiet_start(arguments.config)?;
        let registry = server.into_registry()?;
        let location = net::location(&config.server.advertise, config.server.tls.is_some());
        let (registry, python) = tokio::select! {
            () = interrupted.cancelled() => return Ok(None),
            loaded = with_python(registry, Setting::alone(&config, &location)) => loaded?,
        };
        let rows = here::call(&registry, config, &name, parameters, interrupted).await?;
        return Ok(rows.map(|rows| rows.keeping(python)));
    };
    let waiting = if arguments.no_poll {
        Waiting::OneRequest
    } else {
        Waiting::Polling
    };
    let connection = tokio::select! {
        () = interrupted.cancelled() => return Ok(None),
        connection = remote::connect(url, &arguments.server) => connection?,
    };
    Ok(
        match remote::call(connection, &name, &parameters, waiting, interrupted).await? {
            Reply::Rows { schema, batches } => Some(Rows {
                schema,
                batches: batches.map_err(CallError::from).boxed(),
            }),
            Reply::Cancelled => None,
        },
    )
}

/// The bytes of the rows themselves, however much larger the buffers are that they lie in.
fn size(rows: &RecordBatch) -> usize {
    let sizes = rows
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size());
    sizes.map(Result::unwrap_or_default).sum()
}

#[derive(Debug, PartialEq, Eq)]
enum Printed {
    All,
    Interrupted,
}

/// Writes the rows as they come, and says in the end how many they were to somebody who sees no end of them.
async fn print(
    mut rows: Rows,
    destination: Destination,
    limit: Option<usize>,
    mut progress: Progress,
    interrupted: &CancellationToken,
) -> Result<Printed, Box<dyn Error>> {
    let tells = io::stderr().is_terminal();
    let shares_terminal = destination.is_terminal_as_rows_come();
    let mut sink = Sink::new(destination, &rows.schema, limit)?;
    if shares_terminal {
        progress.steps_aside();
    }
    while !sink.is_full() {
        let batch = tokio::select! {
            biased;
            () = interrupted.cancelled() => return Ok(Printed::Interrupted),
            batch = rows.batches.next() => batch,
        };
        let Some(batch) = batch.transpose()? else { break };
        let written = sink.write(&batch)?;
        if !shares_terminal {
            progress.received(written, size(&batch));
        }
    }
    progress.steps_aside();
    let note = sink.finish()?;
    if tells && !shares_terminal {
        let note = note.map(|note| format!(" · {note}")).unwrap_or_default();
        say(&format_args!("{}{note}", progress.summary()));
    } else if let Some(note) = note {
        say(&note);
    }
    Ok(Printed::All)
}

#[cfg(test)]
mod tests;
