//! Structured logs: one event per line on stderr, its name in the message of the log call, its keys in the fields.
//!
//! `tracing::info!(task_id = %id, "task_run")` is the line `{"task_id":"…","logger":"…","level":"info","timestamp":"…",
//! "event":"task_run"}`. A field `json.NAME` holds JSON text and becomes an object; `exception` comes last.

mod layer;
pub mod metrics;
mod record;
mod rpc;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::io;
use std::sync::LazyLock;

use prometheus::IntCounter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use layer::Lines;
pub use layer::Style;
pub use metrics::Metrics;
pub use rpc::Rpc;

/// What is logged when `RUST_LOG` says nothing: the transport's own chatter is left out.
const DEFAULT_FILTER: &str = "info,h2=warn,hyper=warn,hyper_util=warn,rustls=warn,tonic=warn,tower=warn";

/// Logs to stderr from now on, panics included. `quiet` is for commands whose result is what they print: only warnings
/// are logged then. `RUST_LOG` says otherwise.
pub fn start(style: Style, quiet: bool) {
    let default = if quiet { "warn" } else { DEFAULT_FILTER };
    let (filter, ignored) = match std::env::var(EnvFilter::DEFAULT_ENV).as_deref() {
        Err(_) | Ok("") => (EnvFilter::new(default), None),
        Ok(text) => EnvFilter::try_new(text).map_or_else(|e| (EnvFilter::new(default), Some(e)), |f| (f, None)),
    };
    let subscriber = tracing_subscriber::registry()
        .with(filter)
        .with(Lines::new(style, io::stderr));
    // A second start within one process keeps the first.
    let _ = subscriber.try_init();
    if let Some(error) = ignored {
        tracing::warn!(%error, "rust_log_ignored");
    }
    std::panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        let exception = match backtrace.status() {
            BacktraceStatus::Captured => format!("{panic}\n{backtrace}"),
            _ => panic.to_string(),
        };
        tracing::error!(exception, "panic");
    }));
}

/// Counts the log lines that were dropped since the process began.
fn dropped_lines() -> IntCounter {
    static DROPPED: LazyLock<IntCounter> = LazyLock::new(|| {
        let help = "Log lines dropped because nobody read them fast enough.";
        IntCounter::new("flexconnect_log_lines_dropped_total", help).expect("the name is valid")
    });
    DROPPED.clone()
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
