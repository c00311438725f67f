//! A private folder with the socket and with the Python side, which travels in this program.
//!
//! A server that is killed leaves its folder behind. A lock on the folder tells that its server lives, so the next one
//! removes those that nobody holds.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::package;

/// What the names of such folders begin with; a random number of so many digits follows.
const NAME: &str = "flexconnect-python-";
const DIGITS: usize = 16;

/// A folder that nobody else may enter. It is removed when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as this process lives.
    _lock: File,
}

impl Folder {
    /// Makes a folder below `parent`, with the Python side in it.
    pub(super) fn unpack(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let folder = Self::new(parent)?;
        package::write(&folder.package(), package::Readers::Owner)?;
        Ok(folder)
    }

    fn new(parent: &Path) -> io::Result<Self> {
        loop {
            let path = parent.join(format!("{NAME}{:0DIGITS$x}", rand::random::<u64>()));
            // Not one that somebody made before.
            DirBuilder::new().mode(0o700).create(&path)?;
            // Somebody who sweeps may have come in between, and takes it for one that is left.
            let lock = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            if lock.try_lock().is_ok() && fs::metadata(&path).is_ok_and(|found| is_same(&lock, &found)) {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// The Python side.
    pub(super) fn package(&self) -> PathBuf {
        self.path.join(package::NAME)
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join("socket")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), exception = %error, "folder_not_removed");
        }
    }
}

/// Removes the folders of this user's servers that live no more. What cannot be removed is left: nothing depends on it.
fn sweep(parent: &Path) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let is_ours =
            number.is_some_and(|number| number.len() == DIGITS && number.bytes().all(|b| b.is_ascii_hexdigit()));
        // Of the entry itself: a link is none of ours.
        let of_user = entry
            .metadata()
            .is_ok_and(|found| found.is_dir() && found.uid() == user);
        if !is_ours || !of_user {
            continue;
        }
        let path = entry.path();
        if let Ok(folder) = File::open(&path)
            && folder.try_lock().is_ok()
            && fs::remove_dir_all(&path).is_ok()
        {
            tracing::info!(folder = %path.display(), "folder_of_killed_server_removed");
        }
    }
}

fn is_same(file: &File, found: &fs::Metadata) -> bool {
    let of = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().is_ok_and(|own| of(&own) == of(found))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn the_folder_is_private_whole_and_goes_away() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::unpack(parent.path()).unwrap();
        let mode = fs::metadata(&folder.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(folder.package().join("__main__.py").is_file());
        let path = folder.path.clone();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn servers_that_start_together_do_not_take_each_others_folders() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let starts = [(); 8].map(|()| {
                scope.spawn(|| {
                    (0..200).for_each(|_| {
                        sweep(parent.path());
                        let folder = Folder::new(parent.path()).unwrap();
                        assert!(folder.path.is_dir());
                    });
                })
            });
            for start in starts {
                start.join().unwrap();
            }
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn folders_of_servers_that_were_killed_go_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let living = Folder::unpack(parent.path()).unwrap();
        let killed = at("flexconnect-python-0123456789abcdef");
        let others = ["flexconnect-python-of-somebody", "flexconnect-0123456789abcdef", "else"].map(at);
        for folder in others.iter().chain([&killed]) {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "").unwrap();
        }
        let link = at("flexconnect-python-aaaaaaaaaaaaaaaa");
        symlink(&others[2], &link).unwrap();
        let next = Folder::unpack(parent.path()).unwrap();
        assert!(!killed.exists());
        for kept in others.iter().chain([&link, &living.path, &next.path]) {
            assert!(kept.exists(), "{}", kept.display());
        }
    }
}
