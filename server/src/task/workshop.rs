//! Where work that blocks is done.

use std::sync::Arc;

use super::leaks::Leaks;
use super::threads::{Priority, Threads};

/// The threads for work that blocks, and for the streams that it returned; and those of them that nobody waits for.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) calls: Arc<Threads>,
    pub(super) batches: Arc<Threads>,
    pub(super) leaks: Arc<Leaks>,
}

impl Workshop {
    /// Threads for so many calls, for the batches of so many streams, and for those that are leaked. Batches wait for their
    /// turn; so do calls, but there are never more of them than threads for long.
    pub(super) fn new(at_a_time: usize, leaks: Leaks) -> Self {
        let threads = at_a_time.saturating_add(leaks.most());
        Self {
            // A thread has told its result a moment before it is free again; the next call may come within that.
            calls: Arc::new(Threads::new("fun-call", Priority::Low, threads, threads)),
            batches: Arc::new(Threads::new("fun-batches", Priority::Low, threads, usize::MAX)),
            leaks: Arc::new(leaks),
        }
    }
}
