//! Where results may go: memory, and a folder for those that do not fit there.

use super::{Budget, Exceeded, Lease, Spill};

/// Results up to this size stay in memory whatever is there: they are soon gone, and calls that bring them are refused
/// when nothing fits any more.
const SMALL: usize = 16 * 1024;

/// With a folder, results leave one part in so many of the memory to calls and streams: these cannot go elsewhere.
const RESERVE: usize = 8;

/// What results, commands and streams take up, and where. Clones share it.
#[derive(Clone, Debug)]
pub struct Room {
    memory: Budget,
    spill: Option<Spill>,
}

impl Room {
    /// So many bytes of memory, and a folder for what does not fit there.
    #[must_use]
    pub fn new(memory: usize, spill: Option<Spill>) -> Self {
        Self {
            memory: Budget::new(memory),
            spill,
        }
    }

    /// The memory of all calls, results and streams together.
    #[must_use]
    pub const fn memory(&self) -> &Budget {
        &self.memory
    }

    /// The folder, if there is one.
    #[must_use]
    pub const fn spill(&self) -> Option<&Spill> {
        self.spill.as_ref()
    }

    /// Takes memory for a result.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn lease_for_result(&self, bytes: usize) -> Result<Lease, Exceeded> {
        if bytes <= SMALL {
            return Ok(self.memory.lease_anyway(bytes));
        }
        let limit = self.memory.limit();
        let reserve = if self.spill.is_some() { limit / RESERVE } else { 0 };
        self.memory.lease_leaving(bytes, reserve)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 8 << 20;

    #[test]
    fn without_a_folder_results_take_all_there_is() {
        let room = Room::new(LIMIT, None);
        let all = room.lease_for_result(LIMIT).expect("fits");
        assert!(room.lease_for_result(SMALL + 1).is_err());
        assert!(room.lease_for_result(SMALL).is_ok());
        drop(all);
        assert_eq!(room.memory().used(), 0);
    }

    #[test]
    fn with_a_folder_they_leave_room_for_calls() {
        let folder = tempfile::tempdir().expect("a folder");
        let spill = Spill::open(folder.path(), 1).expect("a folder to write in");
        let room = Room::new(LIMIT, Some(spill));
        assert!(room.lease_for_result(LIMIT - LIMIT / RESERVE + 1).is_err());
        let results = room.lease_for_result(LIMIT - LIMIT / RESERVE).expect("fits");
        assert!(room.lease_for_result(SMALL + 1).is_err());
        assert!(room.memory().lease(LIMIT / RESERVE).is_ok());
        drop(results);
    }
}
