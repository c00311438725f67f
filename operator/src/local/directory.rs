//! The private directory of a run: configurations, keys and logs.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Why there is no directory to work in.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error("cannot use the work directory {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the work directory {path} can be read by others: run `chmod 700 {path}`, or name one that does not exist yet", path = path.display())]
    Open { path: PathBuf },
    #[error("the work directory {} belongs to a run that still goes on: name another with --work-dir", path.display())]
    Taken { path: PathBuf },
}

/// A directory that only this user can read, and only this run writes. What it holds, but for the logs in a directory
/// that the user named, is removed when it is dropped.
#[derive(Debug)]
pub(super) struct WorkDirectory {
    path: PathBuf,
    /// Removes itself when dropped.
    temporary: Option<TempDir>,
    /// Held as long as the run; the lock goes with the process, whatever ends it.
    _lock: File,
    /// Directories of replicas, which hold keys.
    made: Vec<PathBuf>,
}

impl WorkDirectory {
    /// Makes the directory, or a fresh temporary one.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, DirectoryError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| DirectoryError::Io { path, source }
        };
        let (path, temporary) = if let Some(path) = path {
            make_private(path).map_err(io(path))?;
            let path = path.canonicalize().map_err(io(path))?;
            if fs::metadata(&path)
                .map_err(io(&path))?
                .permissions()
                .mode()
                .trailing_zeros()
                < 6
            {
                return Err(DirectoryError::Open { path });
            }
            (path, None)
        } else {
            let parent = std::env::temp_dir();
            let directory = tempfile::Builder::new()
                .prefix("flexconnect-")
                .permissions(fs::Permissions::from_mode(0o700))
                .tempdir()
                .map_err(io(&parent))?;
            (directory.path().to_owned(), Some(directory))
        };
        let lock_path = path.join("lock");
        let lock = private_file(&lock_path).map_err(io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => DirectoryError::Taken { path: path.clone() },
            fs::TryLockError::Error(source) => DirectoryError::Io {
                path: path.clone(),
                source,
            },
        })?;
        Ok(Self {
            path,
            temporary,
            _lock: lock,
            made: Vec::new(),
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of a replica.
    pub(super) fn replica(&mut self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        make_private(&path)?;
        if !self.made.contains(&path) {
            self.made.push(path.clone());
        }
        Ok(path)
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        if self.temporary.is_none() {
            for path in &self.made {
                // Nobody is left to hear of a failure; the keys in it are worth nothing once the replicas are gone.
                let _ = fs::remove_dir_all(path);
            }
            let _ = fs::remove_file(self.path.join("lock"));
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        done => done,
    }
}

/// Writes a file that only this user can read. A reader sees the old content or the new one, never a part.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let mut file = private_file(Path::new(&partial))?;
    file.write_all(content)?;
    fs::rename(&partial, path)
}

/// An empty file that only this user can read.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_directory_is_private_and_leaves_nothing() {
        let mut directory = WorkDirectory::open(None).unwrap();
        let path = directory.path().to_owned();
        let replica = directory.replica("a-0").unwrap();
        write_private(&replica.join("tls.key"), b"key").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&path), mode(&replica), mode(&replica.join("tls.key"))),
            (0o700, 0o700, 0o600)
        );
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_named_directory_keeps_its_logs_and_loses_its_keys() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let mut directory = WorkDirectory::open(Some(&path)).unwrap();
        fs::write(directory.path().join("a-0.log"), "text").unwrap();
        write_private(&directory.replica("a-0").unwrap().join("tls.key"), b"key").unwrap();
        drop(directory);
        let left: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["a-0.log"]);
    }

    #[test]
    fn two_runs_do_not_share_a_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let first = WorkDirectory::open(Some(&path)).unwrap();
        assert!(matches!(
            WorkDirectory::open(Some(&path)),
            Err(DirectoryError::Taken { .. })
        ));
        drop(first);
        WorkDirectory::open(Some(&path)).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_read_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let error = WorkDirectory::open(Some(parent.path())).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }
}
