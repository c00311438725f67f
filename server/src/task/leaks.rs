//! Threads that a call keeps although it was cancelled, since nobody can take a thread away.
//!
//! The slot of such a call is given to the next one, so that a function that hangs does not stop the others. That way
//! threads leak, which is counted, logged, and bounded: once as many are leaked as there are slots for one kind of task,
//! a call that hangs keeps its slot until it returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::Metrics;
use crate::telemetry::metrics::GaugeMeter;

/// How many threads are leaked.
pub(super) struct Leaks {
    count: Arc<AtomicUsize>,
    most: usize,
    metrics: Metrics,
}

/// A thread that is leaked, until dropped.
pub(super) struct Leak {
    count: Arc<AtomicUsize>,
    _gauge: GaugeMeter,
}

impl Leaks {
    pub(super) fn new(most: usize, metrics: Metrics) -> Self {
        Self {
            count: Arc::default(),
            most,
            metrics,
        }
    }

    /// Leaks a thread; `None` when there are as many as there may be.
    pub(super) fn one_more(&self) -> Option<Leak> {
        let room = |count: usize| (count < self.most).then_some(count + 1);
        self.count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .ok()?;
        Some(Leak {
            count: Arc::clone(&self.count),
            _gauge: self.metrics.thread_leaked(),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

impl Drop for Leak {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::AcqRel);
    }
}
