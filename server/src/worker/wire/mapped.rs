//! Bodies in shared memory: made by one side, sealed, and mapped by the other.
//!
//! This is the only module of the server that may have `unsafe` code.

#![expect(unsafe_code, reason = "a mapping of sealed shared memory; see `map`")]

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};

use super::frame::Malformed;

/// What keeps memory as it is: its size and its content.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

/// Shared memory with these bytes that never changes again.
pub(super) fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create("flexconnect", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    let memory = OwnedFd::from(file);
    fcntl_add_seals(&memory, SEALS | SealFlags::SEAL)?;
    Ok(memory)
}

/// The bytes behind a descriptor that came from the Python side, without a copy: it must be sealed, and have exactly this
/// size.
pub(super) fn map(memory: OwnedFd, size: u64) -> Result<Bytes, Malformed> {
    let seals = fcntl_get_seals(&memory).map_err(|_| Malformed::new("a descriptor that is no shared memory"))?;
    if !seals.contains(SEALS) {
        return Err(Malformed::new("shared memory that is not sealed"));
    }
    let found = fstat(&memory).map_err(Malformed::new)?.st_size;
    if u64::try_from(found) != Ok(size) {
        return Err(Malformed::new(format_args!(
            "shared memory of {found} bytes that was announced with {size}"
        )));
    }
    if size == 0 {
        return Ok(Bytes::new());
    }
    let length = usize::try_from(size).map_err(Malformed::new)?;
    let file = File::from(memory);
    // SAFETY: A mapping is unsound where its bytes change, or go away, while it is read. Seals are properties of the
    // memory itself, cannot be taken back, and were looked at after it arrived: SEAL_WRITE is refused by the kernel while
    // anybody has a writable mapping, and no write or writable mapping is possible afterwards, so the bytes are constant;
    // SEAL_SHRINK keeps the end where it is, so no page of it goes away and no access is a SIGBUS. `fcntl_get_seals`
    // fails on everything that is no memfd, so no file on a disk can be behind it.
    let mapping: Mmap = unsafe { MmapOptions::new().len(length).map(&file) }.map_err(Malformed::new)?;
    Ok(Bytes::from_owner(mapping))
}

#[cfg(test)]
mod tests {
    use rustix::fs::ftruncate;

    use super::*;

    #[test]
    fn sealed_memory_is_shared() {
        let bytes = vec![7; 100_000];
        let memory = sealed(&bytes).unwrap();
        assert!(ftruncate(&memory, 1).is_err(), "it is sealed");
        assert_eq!(map(memory, 100_000).unwrap(), bytes);
        assert!(map(sealed(&[]).unwrap(), 0).unwrap().is_empty());
    }

    #[test]
    fn what_could_change_is_not_mapped() {
        let open = || memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        for some in [
            SealFlags::empty(),
            SealFlags::SHRINK | SealFlags::GROW,
            SealFlags::WRITE,
        ] {
            let memory = open();
            ftruncate(&memory, 10).unwrap();
            fcntl_add_seals(&memory, some).unwrap();
            assert!(map(memory, 10).unwrap_err().0.contains("not sealed"), "{some:?}");
        }
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        assert!(map(file, 0).unwrap_err().0.contains("no shared memory"));
        for wrong in [0, 9, 11, u64::MAX] {
            assert!(
                map(sealed(&[0; 10]).unwrap(), wrong)
                    .unwrap_err()
                    .0
                    .contains("announced")
            );
        }
    }
}
