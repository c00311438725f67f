//! Threads that work on although nobody waits for them any more, since nobody can take a thread away.
//!
//! The slot of a call that hangs is given to the next one, so that one function does not stop the others; a stream that
//! hangs is left by its reader. That way threads leak, which is counted and bounded: once as many are leaked as there are
//! slots for one kind of task, a call that hangs keeps its slot until it returns.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::lock;
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

/// What a thread does for somebody, who may stop waiting for it. Clones are the same errand.
#[derive(Clone, Default)]
pub(super) struct Errand(Arc<Mutex<Parting>>);

/// Which came first: that the thread was done, or that it was given up.
#[derive(Default)]
enum Parting {
    #[default]
    Running,
    GivenUp(#[expect(dead_code, reason = "it counts by being there")] Leak),
    Done,
}

impl Errand {
    /// Nobody waits any more, if one more thread may be leaked. Tells whether there is nothing to wait for.
    pub(super) fn give_up(&self, leaks: &Leaks) -> bool {
        let mut parting = lock(&self.0);
        match *parting {
            Parting::Running => leaks.one_more().map(|leak| *parting = Parting::GivenUp(leak)).is_some(),
            Parting::GivenUp(_) => true,
            Parting::Done => false,
        }
    }

    /// The thread is back. To be called once what it brings can be seen.
    pub(super) fn done(&self) {
        let before = mem::replace(&mut *lock(&self.0), Parting::Done);
        drop(before);
    }
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

    /// How many there may be.
    pub(super) const fn most(&self) -> usize {
        self.most
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
