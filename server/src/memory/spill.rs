//! Results on disk: files without a name, written once, read back in pieces by position.
//!
//! Files are never mapped: a mapped file that is cut short ends the process (SIGBUS), a read merely fails. Many results
//! share a file, so that they do not take a descriptor each; its space is given back when the last of them is gone, which
//! is soon after the first, since all results are kept equally long.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::{Bytes, BytesMut};
use uuid::Uuid;

use super::{Budget, Exceeded, Lease};

/// A file takes no new results beyond this.
const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Small pieces are gathered before they are written.
const GATHER: usize = 256 * 1024;

/// A folder for results, with a limit of its own. Clones are handles to the same folder.
#[derive(Clone, Debug)]
pub struct Spill(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    budget: Budget,
    /// The file that takes results, as long as there are results in it.
    current: Mutex<Weak<SpillFile>>,
}

/// A file without a name.
#[derive(Debug)]
struct SpillFile {
    file: File,
    space: Mutex<Space>,
}

#[derive(Debug, Default)]
struct Space {
    /// Where the next result begins.
    end: u64,
    /// What the results take from the budget, until the file is gone.
    leases: Vec<Lease>,
}

/// Why a result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The folder holds all it may.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
    /// The volume is full, or broken.
    #[error("cannot write to the folder for results, {}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Spill {
    /// Uses a folder, and tries whether files can be made there.
    ///
    /// # Errors
    /// When they cannot.
    pub fn open(path: &Path, limit: usize) -> Result<Self, SpillError> {
        let folder = Folder {
            path: path.to_owned(),
            budget: Budget::new(limit),
            current: Mutex::default(),
        };
        folder.create().map_err(|source| folder.failed(source))?;
        Ok(Self(Arc::new(folder)))
    }

    /// Writes a result of so many bytes: `pieces`, one after the other. Blocks.
    ///
    /// # Errors
    /// When it does not fit, or cannot be written.
    pub fn write<'a>(&self, len: usize, pieces: impl Iterator<Item = &'a [u8]>) -> Result<Region, SpillError> {
        let lease = self.0.budget.lease(len)?;
        let region = self.0.reserve(lease).map_err(|source| self.0.failed(source))?;
        region.fill(pieces).map_err(|source| self.0.failed(source))?;
        Ok(region)
    }

    /// Makes a file for one result of so many bytes, which another process writes.
    ///
    /// # Errors
    /// When it does not fit, or there can be no file.
    pub fn lend(&self, len: usize) -> Result<Region, SpillError> {
        let lease = self.0.budget.lease(len)?;
        let file = self.0.create().map_err(|source| self.0.failed(source))?;
        let space = Space {
            end: len as u64,
            leases: vec![lease],
        };
        Ok(Region {
            file: Arc::new(SpillFile {
                file,
                space: Mutex::new(space),
            }),
            start: 0,
            len: len as u64,
        })
    }

    /// The bytes of the folder.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.0.budget
    }
}

impl Folder {
    /// Finds room for a result. It is the result's alone, so that results can be written side by side.
    fn reserve(&self, lease: Lease) -> io::Result<Region> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match current.upgrade() {
            Some(file) if file.has_room(lease.bytes()) => file,
            Some(_) | None => {
                let file = Arc::new(SpillFile {
                    file: self.create()?,
                    space: Mutex::default(),
                });
                *current = Arc::downgrade(&file);
                file
            }
        };
        let mut space = file.space();
        let (start, len) = (space.end, lease.bytes() as u64);
        space.end += len;
        space.leases.push(lease);
        drop(space);
        Ok(Region { file, start, len })
    }

    /// A file that is gone when it is closed, however this process ends.
    fn create(&self) -> io::Result<File> {
        let name = self.path.join(format!(".flexconnect-{}", Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&name)?;
        std::fs::remove_file(&name)?;
        Ok(file)
    }

    fn failed(&self, source: io::Error) -> SpillError {
        let path = self.path.clone();
        SpillError::Io { path, source }
    }
}

impl SpillFile {
    fn space(&self) -> std::sync::MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.space().end.saturating_add(bytes as u64) <= FILE_BYTES
    }
}

/// A piece of a file. Its space is not given back before all pieces of it are dropped. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Region {
    file: Arc<SpillFile>,
    start: u64,
    len: u64,
}

impl Region {
    /// Bytes in it.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes up to so many bytes off the front.
    #[must_use]
    pub fn split_to(&mut self, bytes: u64) -> Self {
        let front = Self {
            len: bytes.min(self.len),
            ..self.clone()
        };
        self.start += front.len;
        self.len -= front.len;
        front
    }

    /// Puts bytes back that were taken off the front before.
    pub(crate) fn step_back(&mut self, bytes: usize) {
        self.start -= bytes as u64;
        self.len += bytes as u64;
    }

    /// The file, for the process that writes it.
    ///
    /// # Errors
    /// When there are too many descriptors.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        Ok(self.file.file.try_clone()?.into())
    }

    /// Whether the file ends where this piece does. Blocks.
    pub(crate) fn is_all_there(&self) -> io::Result<bool> {
        Ok(self.file.file.metadata()?.len() == self.start + self.len)
    }

    /// Reads all of it. Blocks.
    ///
    /// # Errors
    /// When the volume fails.
    pub fn read(&self) -> io::Result<Bytes> {
        let len = usize::try_from(self.len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = BytesMut::zeroed(len);
        self.file.file.read_exact_at(&mut bytes, self.start)?;
        Ok(bytes.freeze())
    }

    fn fill<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let file = &self.file.file;
        let mut at = self.start;
        let mut gathered = Vec::new();
        let mut write = |bytes: &[u8]| {
            file.write_all_at(bytes, at)?;
            at += bytes.len() as u64;
            io::Result::Ok(())
        };
        for piece in pieces {
            if gathered.len() + piece.len() > GATHER {
                write(&gathered)?;
                gathered.clear();
            }
            if piece.len() > GATHER {
                write(piece)?;
            } else {
                gathered.extend_from_slice(piece);
            }
        }
        write(&gathered)?;
        if at == self.start + self.len {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the result is not as long as was said",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn folder(limit: usize) -> (TempDir, Spill) {
        let folder = tempfile::tempdir().expect("a folder");
        let spill = Spill::open(folder.path(), limit).expect("a folder to write in");
        (folder, spill)
    }

    fn write(spill: &Spill, bytes: &[u8]) -> Result<Region, SpillError> {
        spill.write(bytes.len(), std::iter::once(bytes))
    }

    #[test]
    fn nothing_has_a_name() {
        let (folder, spill) = folder(100);
        let region = write(&spill, b"rows").expect("fits");
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
        assert_eq!(region.read().expect("readable"), &b"rows"[..]);
    }

    #[test]
    fn the_limit_holds_until_the_results_of_a_file_are_gone() {
        let (_folder, spill) = folder(10);
        let [first, second] = [b"123456", b"7890ab"].map(|bytes| write(&spill, &bytes[..6]));
        assert!(matches!(second, Err(SpillError::Exceeded(Exceeded { used: 6, .. }))));
        let third = write(&spill, b"7890").expect("fits");
        drop(first);
        assert_eq!(spill.budget().used(), 10, "the file is still in use");
        assert_eq!(third.read().expect("readable"), &b"7890"[..]);
        drop(third);
        assert_eq!(spill.budget().used(), 0);
        write(&spill, b"1234567890").expect("fits again");
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_told() {
        let error = Spill::open(Path::new("/dev/null/results"), 10).expect_err("no folder");
        assert_eq!(
            error.to_string(),
            "cannot write to the folder for results, /dev/null/results"
        );
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_file_that_lost_its_end_is_an_error_and_no_crash() {
        let (_folder, spill) = folder(100);
        let region = write(&spill, b"rows").expect("fits");
        region.file.file.set_len(2).expect("cut short");
        assert_eq!(region.read().expect_err("gone").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_is_lent_to_whoever_writes_it() {
        let (_folder, spill) = folder(10);
        let region = spill.lend(4).expect("fits");
        let other = File::from(region.descriptor().expect("a descriptor"));
        other.write_all_at(b"ro", 0).expect("written");
        assert!(!region.is_all_there().expect("a file"));
        other.write_all_at(b"ws", 2).expect("written");
        assert!(region.is_all_there().expect("a file"));
        assert_eq!(region.read().expect("readable"), &b"rows"[..]);
        assert!(matches!(spill.lend(7), Err(SpillError::Exceeded(_))));
        drop(region);
        assert_eq!(spill.budget().used(), 0);
    }

    #[test]
    fn a_wrong_length_is_noticed() {
        let (_folder, spill) = folder(100);
        assert!(matches!(
            spill.write(3, [&b"rows"[..]].into_iter()),
            Err(SpillError::Io { .. })
        ));
    }

    #[test]
    fn results_are_written_side_by_side() {
        let (_folder, spill) = folder(1 << 30);
        std::thread::scope(|scope| {
            for byte in 0..8_u8 {
                let spill = spill.clone();
                scope.spawn(move || {
                    let bytes = vec![byte; 3 << 20];
                    let regions = [(); 5].map(|()| write(&spill, &bytes).expect("fits"));
                    assert!(regions.iter().all(|region| region.read().expect("readable") == bytes));
                });
            }
        });
        assert_eq!(spill.budget().used(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_written_is_read(lengths in prop::collection::vec(0_usize..300_000, 0..4), cut: u32) {
            let (_folder, spill) = folder(1 << 30);
            let pieces: Vec<Vec<u8>> = lengths.iter().map(|&len| (0..=u8::MAX).cycle().take(len).collect()).collect();
            let all = pieces.concat();
            let mut rest = spill.write(all.len(), pieces.iter().map(Vec::as_slice)).expect("fits");
            let front = rest.split_to(u64::from(cut) % 400_000);
            prop_assert_eq!(front.len() + rest.len(), all.len() as u64);
            prop_assert_eq!([front.read().expect("readable"), rest.read().expect("readable")].concat(), all);
        }
    }
}
