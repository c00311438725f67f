//! Threads that a call keeps although it was cancelled, since nobody can take a thread away.
//!
//! The slot of such a call is given to the next one, so that a function that hangs does not stop the others. That way
//! threads leak, which is counted, logged, and bounded: once as many are leaked as there are slots for one kind of task,
//! a call that hangs keeps its slot until it returns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::telemetry::Metrics;
use crate::telemetry::metrics::GaugeMeter;

/// How many threads are leaked.
pub(super) struct Leaks {
    now: Arc<Now>,
    most: usize,
    metrics: Metrics,
}

#[derive(Default)]
struct Now {
    count: AtomicUsize,
    /// Rung when a thread came back.
    fewer: Notify,
}

/// A thread that is leaked, until dropped.
pub(super) struct Leak {
    now: Arc<Now>,
    _gauge: GaugeMeter,
}

impl Leaks {
    pub(super) fn new(most: usize, metrics: Metrics) -> Self {
        Self {
            now: Arc::default(),
            most,
            metrics,
        }
    }

    /// Leaks a thread; `None` when there are as many as there may be.
    pub(super) fn one_more(&self) -> Option<Leak> {
        let room = |count: usize| (count < self.most).then_some(count + 1);
        self.now
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, room)
            .ok()?;
        Some(Leak {
            now: Arc::clone(&self.now),
            _gauge: self.metrics.thread_leaked(),
        })
    }

    /// Ends when there are fewer than when this was called.
    pub(super) fn fewer(&self) -> impl Future<Output = ()> {
        self.now.fewer.notified()
    }

    pub(super) fn count(&self) -> usize {
        self.now.count.load(Ordering::Acquire)
    }
}

impl Drop for Leak {
    fn drop(&mut self) {
        self.now.count.fetch_sub(1, Ordering::AcqRel);
        self.now.fewer.notify_waiters();
    }
}
