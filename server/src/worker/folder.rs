//! A private folder with the socket and with the Python side, which travels in this program.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/python_files.rs"));

/// A folder that nobody else may enter. It is removed when dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes a folder below `parent`, with the Python side in it.
    pub(super) fn unpack(parent: &Path) -> io::Result<Self> {
        let folder = Self(parent.join(format!("flexconnect-{:016x}", rand::random::<u64>())));
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        // Not one that somebody made before.
        DirBuilder::new().mode(0o700).create(&folder.0)?;
        for (name, content) in FILES {
            let path = folder.package().join(name);
            if let Some(parent) = path.parent() {
                make(parent)?;
            }
            fs::write(path, content)?;
        }
        Ok(folder)
    }

    /// The Python side.
    pub(super) fn package(&self) -> PathBuf {
        self.0.join("flexconnect_worker")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), exception = %error, "folder_not_removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_folder_is_private_whole_and_goes_away() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::unpack(parent.path()).unwrap();
        let mode = fs::metadata(&folder.0).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(folder.package().join("__main__.py").is_file());
        let path = folder.0.clone();
        drop(folder);
        assert!(!path.exists());
    }
}
