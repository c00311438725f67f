//! What is logged: by `RUST_LOG` at the start, by the admin port while the server runs.

use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::{Registry, reload};

/// What the transport says is left out of what is logged at a level.
const QUIET_TRANSPORT: &str = "h2=warn,hyper=warn,hyper_util=warn,reqwest=warn,rustls=warn,tonic=warn,tower=warn";

/// The filter of this process, once it logs.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// The module that tells what Python logs.
const PYTHON: &str = "flexconnect_server::worker::log";

/// Whether Python's logging has levels of its own.
static PYTHON_DECIDES: AtomicBool = AtomicBool::new(false);

/// Why what is logged stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum LevelError {
    /// The text is no filter.
    #[error("this is no filter of logs: give a level (error, warn, info, debug, trace) or directives as in RUST_LOG")]
    Text(#[from] ParseError),
    /// The program does not log, or logs in a way of its own.
    #[error("this program logs in a way of its own")]
    NotOurs,
}

/// The filter to begin with: of `RUST_LOG`, or of a level. What is wrong in the variable is returned.
pub(super) fn filter(default: &str) -> (EnvFilter, Option<ParseError>) {
    let default = || EnvFilter::new(directives(default));
    match env::var(EnvFilter::DEFAULT_ENV).as_deref() {
        Err(_) | Ok("") => (default(), None),
        Ok(text) => parse(text).map_or_else(|error| (default(), Some(error)), |filter| (filter, None)),
    }
}

/// Makes a filter of this process that [`set_level`] can change.
pub(super) fn changeable(filter: EnvFilter) -> reload::Layer<EnvFilter, Registry> {
    let (layer, handle) = reload::Layer::new(filter);
    // A second start within one process keeps the first.
    let _ = FILTER.set(handle);
    layer
}

/// Logs from now on what this says: a level, or directives as in `RUST_LOG`.
///
/// # Errors
/// When it says nothing that can be understood, or the program's logs are not ours.
pub fn set_level(text: &str) -> Result<(), LevelError> {
    let filter = parse(text)?;
    let handle = FILTER.get().ok_or(LevelError::NotOurs)?;
    handle.reload(filter).map_err(|_| LevelError::NotOurs)
}

/// What is logged now, as in `RUST_LOG`; `None` when the program's logs are not ours.
#[must_use]
pub fn level() -> Option<String> {
    FILTER.get()?.with_current(ToString::to_string).ok()
}

/// What functions in Python log is chosen where they log it from now on, by a file that says so, and not here.
pub(crate) fn python_decides() {
    PYTHON_DECIDES.store(true, Ordering::Relaxed);
}

fn parse(text: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(directives(text.trim()))
}

/// A level alone means what we and the functions say at that level.
fn directives(text: &str) -> String {
    let mut directives = if text.contains(['=', ',']) {
        text.to_owned()
    } else {
        format!("{text},{QUIET_TRANSPORT}")
    };
    if PYTHON_DECIDES.load(Ordering::Relaxed) && !text.is_empty() && !text.contains(PYTHON) {
        directives = format!("{directives},{PYTHON}=trace");
    }
    directives
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("debug", "debug,h2=warn,")]
    #[case("info,sales=debug", "info,sales=debug")]
    #[case("h2=trace", "h2=trace")]
    fn a_level_leaves_the_transport_quiet(#[case] text: &str, #[case] expected: &str) {
        assert!(directives(text).starts_with(expected), "{}", directives(text));
    }

    #[rstest]
    #[case("loud")]
    #[case("")]
    #[case("a=b=c")]
    fn what_is_no_level_is_refused(#[case] text: &str) {
        assert!(matches!(
            set_level(text),
            Err(LevelError::Text(_) | LevelError::NotOurs)
        ));
    }
}
