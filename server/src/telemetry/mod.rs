//! Structured logs: one event per line on stderr, its name in the message of the log call, its keys in the fields.
//!
//! `tracing::info!(task_id = %id, "task_run")` is the line `{"task_id":"…","logger":"…","level":"info","timestamp":"…",
//! "event":"task_run"}`. A field `json.NAME` holds JSON text and becomes an object; `exception` comes last.

mod layer;
mod record;

use std::error::Error;
use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use layer::Lines;
pub use layer::Style;

/// What is logged when `RUST_LOG` says nothing: the transport's own chatter is left out.
const DEFAULT_FILTER: &str = "info,h2=warn,hyper=warn,hyper_util=warn,rustls=warn,tonic=warn,tower=warn";

/// Logs to stderr from now on. `quiet` is for commands whose result is what they print: only warnings are logged.
pub fn start(style: Style, quiet: bool) {
    let default = if quiet { "warn" } else { DEFAULT_FILTER };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(Lines::new(style, io::stderr));
    // A second start within one process, as in tests, keeps the first.
    let _ = subscriber.try_init();
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text.push_str(": ");
            text.push_str(&reason);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
