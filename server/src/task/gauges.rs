//! What is counted while tasks come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts that are kept up to date, so that nobody has to look at every task.
#[derive(Default)]
pub(super) struct Gauges {
    /// Tasks that ended and whose result, or error, nobody has asked for yet.
    pub(super) unread: AtomicUsize,
    /// Results being read.
    pub(super) streams: AtomicUsize,
    /// Rung whenever the load may have become less.
    pub(super) eased: Notify,
}

/// Whether one task is among the unread ones. Once cleared it is never set again.
pub(super) struct Mark {
    state: AtomicU8,
    gauges: Arc<Gauges>,
}

const UNSET: u8 = 0;
const SET: u8 = 1;
const CLEARED: u8 = 2;

impl Mark {
    pub(super) fn new(gauges: Arc<Gauges>) -> Self {
        Self {
            state: AtomicU8::new(UNSET),
            gauges,
        }
    }

    pub(super) fn set(&self) {
        // Counted first, so that whoever looks never finds a task neither running nor unread.
        self.gauges.unread.fetch_add(1, Ordering::AcqRel);
        if self
            .state
            .compare_exchange(UNSET, SET, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            self.count_down();
        }
    }

    pub(super) fn clear(&self) {
        if self.state.swap(CLEARED, Ordering::AcqRel) == SET {
            self.count_down();
        }
    }

    fn count_down(&self) {
        self.gauges.unread.fetch_sub(1, Ordering::AcqRel);
        self.gauges.eased.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_once_and_never_again_after_it_was_cleared() {
        let gauges = Arc::new(Gauges::default());
        let unread = || gauges.unread.load(Ordering::Acquire);
        let (told_before, told_after) = (Mark::new(Arc::clone(&gauges)), Mark::new(Arc::clone(&gauges)));
        told_before.clear();
        told_before.set();
        assert_eq!(unread(), 0);
        told_after.set();
        told_after.set();
        assert_eq!(unread(), 1);
        told_after.clear();
        told_after.clear();
        assert_eq!(unread(), 0);
    }
}
