//! Why functions in Python cannot be served.

use std::io;

use super::interpreter::NoInterpreter;

/// Why functions in Python cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// There is no interpreter.
    #[error("{0}")]
    NoInterpreter(#[from] NoPython),
    /// What workers need cannot be made.
    #[error("workers for Python functions cannot be prepared in {folder}")]
    Folder {
        /// Where.
        folder: String,
        /// What the system says.
        source: io::Error,
    },
    /// The interpreter does not run the host.
    #[error("the Python host ended before it was ready ({how}){}", details(.words))]
    Host {
        /// How it ended.
        how: String,
        /// What it wrote last.
        words: String,
    },
    /// The interpreter is too old, or nobody knows it yet.
    #[error("Python {python} cannot run functions: use 3.10 to 3.14, or set python.interpreter")]
    Unsupported {
        /// Its version.
        python: String,
    },
    /// There is no worker process.
    #[error("a Python worker could not be started: {0}")]
    NotStarted(String),
    /// A worker did not live to load the functions.
    #[error("the Python functions could not be loaded: {0}")]
    Ended(String),
    /// The modules do not load, in their own words.
    #[error("{message}{}", details(.advice.as_deref().unwrap_or_default()))]
    Unloadable {
        /// What is wrong.
        message: String,
        /// A command that mends it.
        advice: Option<String>,
    },
    /// A function has columns that cannot be understood.
    #[error("FlexConnect function '{name}' has a schema that cannot be sent: {reason}")]
    Schema {
        /// The function.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// There is no Python interpreter.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NoPython(#[from] NoInterpreter);

fn details(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}
