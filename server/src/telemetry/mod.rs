//! What the server tells of itself: logs, metrics and traces.

pub(crate) mod foreign;
mod level;
pub mod log;
pub mod metrics;
mod observe;
mod rpc;
pub(crate) mod spans;
mod traces;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::error::Error;
use std::io::{self, Write as _};
use std::sync::LazyLock;
use std::time::Duration;

use prometheus::IntCounter;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use level::python_decides;
pub use level::{LevelError, level, set_level};
pub use log::{RateLimit, Style};
pub use metrics::Metrics;
pub(crate) use observe::observe;
pub use rpc::Rpc;
pub use traces::TracesError;

use crate::config::{TraceKeys, TraceSettings};
use log::{Lines, Output, Sink};
use traces::Traces;

/// How long the last lines may take to be written when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a panic waits for its line to be written, in case it ends the process.
const PANIC: Duration = Duration::from_millis(250);

/// What commands log whose result is what they print: what Python writes is told as events of this module.
const QUIET: &str = "warn,flexconnect_server::worker::log=info";

/// Why logs and traces cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The system gives no thread.
    #[error("the thread that writes logs cannot be started")]
    Thread(#[source] io::Error),
    /// The exporter cannot be made.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// Logs and traces of this process. Dropped at its end, it writes and sends what is left.
#[derive(Debug)]
#[must_use = "the last lines and spans are lost when it is not kept until the end"]
pub struct Telemetry {
    traces: Option<Traces>,
    sink: Sink,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // What goes wrong with the last spans is logged too.
        drop(self.traces.take());
        self.sink.flush(FAREWELL);
    }
}

/// Logs to stderr, and sends traces if that is wanted, from now on; panics are logged too. `RUST_LOG` says what is
/// logged.
///
/// # Errors
/// When the system gives no thread, or traces cannot be sent.
pub fn start(style: Style, keys: TraceKeys, traces: Option<&TraceSettings>) -> Result<Telemetry, TelemetryError> {
    let told = style.clone();
    let sink = Sink::start(io::stderr(), dropped_lines(), move |lines| log::dropped(&told, lines));
    let sink = sink.map_err(TelemetryError::Thread)?;
    let traces = traces.map(Traces::start).transpose()?;
    let mut lines = Lines::new(style, sink.clone());
    if traces.is_some() {
        lines = lines.with_traces(keys);
    }
    let (filter, ignored) = level::filter("info");
    let spans = traces.as_ref().map(|traces| {
        let spans = tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_level(false)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        // Log lines are no events of spans, and what is said of the transport is no span of ours.
        let taken = filter_fn(|metadata| metadata.is_span() && *metadata.level() <= Level::INFO);
        spans.with_filter(taken.with_max_level_hint(LevelFilter::INFO))
    });
    // The first start within one process stays.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(level::changeable(filter)))
        .with(spans)
        .try_init();
    if let Some(error) = ignored {
        tracing::warn!(%error, "rust_log_ignored");
    }
    let panicking = sink.clone();
    std::panic::set_hook(Box::new(move |panic| {
        if !foreign::parsing() {
            log_panic(panic);
            panicking.flush(PANIC);
        }
    }));
    Ok(Telemetry { traces, sink })
}

/// Logs warnings to stderr from now on, panics included, and what functions in Python print: for commands whose result is
/// what they print. `RUST_LOG` says otherwise.
pub fn start_quietly(style: Style) {
    struct Stderr;
    impl Output for Stderr {
        fn take(&self, line: &str) {
            // There is nowhere to tell that logs cannot be written.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }
    let (filter, _) = level::filter(QUIET);
    let lines = Lines::new(style, Stderr).with_filter(level::changeable(filter));
    let _ = tracing_subscriber::registry().with(lines).try_init();
    std::panic::set_hook(Box::new(|panic| {
        if !foreign::parsing() {
            log_panic(panic);
        }
    }));
}

fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let exception = match backtrace.status() {
        BacktraceStatus::Captured => format!("{panic}\n{backtrace}"),
        _ => panic.to_string(),
    };
    tracing::error!(exception, "panic");
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
