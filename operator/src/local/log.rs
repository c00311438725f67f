//! The output of a replica: into its log file, within a bound, and to the terminal when asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A log file that grows beyond this becomes `NAME.1`, in the place of the one before.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;
/// A longer line is cut into pieces.
const LINE_LIMIT: usize = 16 * 1024;
/// What is remembered of the last line.
const LAST_LINE_LIMIT: usize = 300;

/// The log of one replica, over all its processes.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
    prefix: Option<String>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    file: File,
    written: u64,
    last_line: String,
}

impl Log {
    /// Opens the file, adding to what is there. With a prefix each line goes to stderr as well.
    pub(super) fn open(path: PathBuf, prefix: Option<String>) -> io::Result<Self> {
        let file = append(&path)?;
        let written = file.metadata()?.len();
        let state = Arc::new(Mutex::new(State {
            file,
            written,
            last_line: String::new(),
        }));
        Ok(Self { path, prefix, state })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last line that was not empty, cut.
    pub(super) fn last_line(&self) -> String {
        self.state
            .lock()
            .map(|state| state.last_line.clone())
            .unwrap_or_default()
    }

    /// Forgets the last line: a new process begins.
    pub(super) fn forget_last_line(&self) {
        if let Ok(mut state) = self.state.lock() {
            state.last_line.clear();
        }
    }

    /// Copies until the process closes its end. A failing disk loses lines and stops nothing.
    pub(super) async fn copy(self, mut output: impl AsyncRead + Unpin) {
        let mut lines = Lines::default();
        let mut buffer = vec![0; 8192];
        while let Ok(read @ 1..) = output.read(&mut buffer).await {
            for line in lines.push(&buffer[..read]) {
                self.write(&line);
            }
        }
        if let Some(line) = lines.finish() {
            self.write(&line);
        }
    }

    fn write(&self, line: &[u8]) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.written > FILE_LIMIT {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            if let Ok(file) = fs::rename(&self.path, &old).and_then(|()| append(&self.path)) {
                (state.file, state.written) = (file, 0);
            }
        }
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        if state.file.write_all(&whole).is_ok() {
            state.written += whole.len() as u64;
        }
        let text = String::from_utf8_lossy(line);
        if !text.trim().is_empty() {
            state.last_line = text.trim().chars().take(LAST_LINE_LIMIT).collect();
        }
        if let Some(prefix) = &self.prefix {
            let _ = writeln!(io::stderr().lock(), "{prefix}: {text}");
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are whole now.
    fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in piece.chunks(LINE_LIMIT) {
                self.rest.extend_from_slice(piece);
                if self.rest.last() == Some(&b'\n') {
                    self.rest.pop();
                    whole.push(std::mem::take(&mut self.rest));
                } else if self.rest.len() >= LINE_LIMIT {
                    whole.push(std::mem::take(&mut self.rest));
                }
            }
        }
        whole
    }

    /// What came after the last line end.
    fn finish(self) -> Option<Vec<u8>> {
        (!self.rest.is_empty()).then_some(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_any_cut() {
        let text = b"one\n\ntwo and a half\nthree";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let mut found: Vec<_> = text.chunks(size).flat_map(|bytes| lines.push(bytes)).collect();
            found.extend(lines.finish());
            assert_eq!(
                found,
                [b"one".to_vec(), vec![], b"two and a half".to_vec(), b"three".to_vec()]
            );
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut lines = Lines::default();
        let pieces = lines.push(&vec![b'x'; 3 * LINE_LIMIT + 1]);
        assert_eq!((pieces.len(), lines.finish().map(|rest| rest.len())), (3, Some(1)));
    }

    #[tokio::test]
    async fn the_file_has_it_all_and_the_last_line_is_at_hand() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path().join("a.log"), None).unwrap();
        log.clone().copy(&b"first\nsecond \n\n"[..]).await;
        assert_eq!(fs::read_to_string(log.path()).unwrap(), "first\nsecond \n\n");
        assert_eq!(log.last_line(), "second");
    }

    #[test]
    fn a_full_file_makes_room() {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open(directory.path().join("a.log"), None).unwrap();
        log.state.lock().unwrap().written = FILE_LIMIT + 1;
        log.write(b"new");
        assert_eq!(fs::read_to_string(log.path()).unwrap(), "new\n");
        assert!(directory.path().join("a.log.1").exists());
    }
}
