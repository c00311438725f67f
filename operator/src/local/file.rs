//! The file of a run, read again and again: its text when that changed and stands still.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

const POLL: Duration = Duration::from_millis(400);
/// A manifest with its Secrets is a few kilobytes; the API server takes no object larger than this.
const LIMIT: u64 = 3 * 1024 * 1024;

/// The file, and what was seen of it last.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: PathBuf,
    /// What was handed out last; the error as text.
    seen: Result<String, String>,
}

impl WatchedFile {
    /// Reads the file for the first time.
    pub(super) fn open(path: &Path) -> Result<(Self, String), String> {
        let text = read(path)?;
        Ok((
            Self {
                path: path.to_owned(),
                seen: Ok(text.clone()),
            },
            text,
        ))
    }

    /// Waits until the file says something else, twice in a row: an editor may be in the middle of writing it.
    pub(super) async fn changed(&mut self) -> Result<String, String> {
        let mut before = None;
        loop {
            sleep(POLL).await;
            let now = read(&self.path);
            if now != self.seen && before.as_ref() == Some(&now) {
                self.seen.clone_from(&now);
                return now;
            }
            before = Some(now);
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let text = || -> io::Result<String> {
        if std::fs::metadata(path)?.len() > LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is too large to be a manifest",
            ));
        }
        std::fs::read_to_string(path)
    };
    text().map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_is_seen_once_and_so_is_a_loss() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.yaml");
        std::fs::write(&path, "one").unwrap();
        let (mut file, text) = WatchedFile::open(&path).unwrap();
        assert_eq!(text, "one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(file.changed().await.unwrap(), "two");
        assert!(tokio::time::timeout(POLL * 4, file.changed()).await.is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(file.changed().await.unwrap_err().contains("fleet.yaml"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = WatchedFile::open(Path::new("/nowhere/fleet.yaml")).unwrap_err();
        assert!(error.starts_with("cannot read /nowhere/fleet.yaml: "), "{error}");
    }
}
