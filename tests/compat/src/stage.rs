//! Where functions and tests meet: a folder with the journal of what happened, and with files that release who waits.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use flexconnect_server::function::{FunctionError, LoadContext};

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// The folder named by the setting `compat.stage`; the same for every function.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Learns the folder when a function is loaded.
pub(crate) fn load(context: &LoadContext) -> Result<(), FunctionError> {
    if let Some(folder) = context.get::<PathBuf>("compat.stage")? {
        FOLDER.get_or_init(|| folder);
    }
    Ok(())
}

/// A file on the stage, where there is one.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    FOLDER.get().map(|folder| folder.join(name))
}

/// Appends one line to the journal.
pub(crate) fn note(key: &str, event: &str) -> Result<(), FunctionError> {
    if let Some(journal) = path("journal") {
        let mut journal = OpenOptions::new().create(true).append(true).open(journal)?;
        journal.write_all(format!("{key} {event}\n").as_bytes())?;
    }
    Ok(())
}

/// Blocks until the file exists; false when it does not within half a minute.
pub(crate) fn wait_for(name: &str) -> bool {
    let Some(file) = path(name) else {
        return true;
    };
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if file.exists() {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}
