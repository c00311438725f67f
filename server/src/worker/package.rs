//! The Python side as files: it travels in this program, and needs nothing but `CPython`'s standard library.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

include!(concat!(env!("OUT_DIR"), "/python_files.rs"));

/// The name of its folder.
pub(super) const NAME: &str = "flexconnect_worker";

/// Who may read the files.
#[derive(Clone, Copy, Debug)]
pub(super) enum Readers {
    Owner,
    Everybody,
}

/// Writes all files into a new folder.
pub(super) fn write(folder: &Path, readers: Readers) -> io::Result<()> {
    let (of_folders, of_files) = match readers {
        Readers::Owner => (0o700, 0o600),
        Readers::Everybody => (0o755, 0o644),
    };
    // Whatever the mask of this process takes away.
    let allow = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    DirBuilder::new().mode(0o700).create(folder)?;
    for (name, content) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            allow(parent, of_folders)?;
        }
        fs::write(&path, content)?;
        allow(&path, of_files)?;
    }
    allow(folder, of_folders)
}

/// Puts the files into a folder of their own below `parent`, where everybody can read them, in one step: what runs from
/// there finds the files of one version. Gives that folder.
///
/// # Errors
/// When it cannot be written; what was there is there as it was.
pub(crate) fn install(parent: &Path) -> io::Result<PathBuf> {
    let folder = parent.join(NAME);
    fs::create_dir_all(parent)?;
    if is_installed(&folder) {
        return Ok(folder);
    }
    let new = Temporary(parent.join(format!(".{NAME}-{:016x}", rand::random::<u64>())));
    write(&new.0, Readers::Everybody)?;
    if fs::rename(&new.0, &folder).is_err() {
        // What is there goes away under the new one's name.
        renameat_with(CWD, &new.0, CWD, &folder, RenameFlags::EXCHANGE)?;
    }
    Ok(folder)
}

/// Whether the files of this version are there, as far as they can be read.
fn is_installed(folder: &Path) -> bool {
    let is_same = |(name, content): &(&str, &[u8])| fs::read(folder.join(name)).is_ok_and(|found| found == *content);
    FILES.iter().all(is_same)
}

/// A folder that is removed when dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // It is not there when it became the folder, and what it was exchanged for may be anything.
        let _ = fs::remove_dir_all(&self.0).or_else(|_| fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_can_be_read_by_everybody_and_replaces_what_was_there() {
        let parent = tempfile::tempdir().unwrap();
        let into = parent.path().join("a/b");
        let folder = install(&into).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("host"))), (0o755, 0o755));
        assert_eq!(mode(&folder.join("host/main.py")), 0o644);
        let entries = || fs::read_dir(&into).unwrap().count();

        fs::write(folder.join("mark"), "").unwrap();
        install(&into).unwrap();
        assert!(folder.join("mark").exists(), "nothing is done twice");
        fs::write(folder.join("packet.py"), "of another version").unwrap();
        install(&into).unwrap();
        assert!(is_installed(&folder) && !folder.join("mark").exists());
        assert_eq!(entries(), 1);
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "a file").unwrap();
        assert_eq!(install(&into).unwrap(), folder);
        assert!(folder.is_dir() && is_installed(&folder));
    }
}
