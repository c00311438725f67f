//! Why functions in Python cannot be served.

use std::io;
use std::path::PathBuf;

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
    /// The socket for the host of another container cannot be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
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

/// Why nobody can connect at `python.socket`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The folder is not there.
    #[error("the folder {} of python.socket is not there: mount the volume that the host's container has as well", .folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// This process may not write there.
    #[error("user {user} may not make a socket in {}: let the user, or a group of it (fsGroup), write there", .folder.display())]
    Forbidden {
        /// The folder.
        folder: PathBuf,
        /// The user of this process.
        user: u32,
        /// What the system says.
        source: io::Error,
    },
    /// Somebody else listens there.
    #[error("somebody else listens on {}: end the other server, or set another python.socket", .path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{} is there already and no socket: remove it, or set another python.socket", .path.display())]
    Else {
        /// What is there.
        path: PathBuf,
    },
    /// The system does not let it.
    #[error("the socket {} cannot be opened", .path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn details(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}
