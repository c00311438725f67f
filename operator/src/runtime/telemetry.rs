//! Logs: one JSON object a line, on standard error.

use tracing_subscriber::EnvFilter;

/// Starts logging. `RUST_LOG` chooses what is logged; without it, everything from the level `info`.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let started = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .try_init();
    // Somebody who embeds the operator may have started logging already.
    drop(started);
}
