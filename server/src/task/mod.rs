//! Tasks: the state machine, the bounded executor and the store of results.
//!
//! A call is a task with a life of its own: the client that started it may go away and come back for the result. Tasks
//! start in the order they were submitted, run on a fixed number of slots, end at their deadline at the latest (or as
//! soon as their function lets go), and are forgotten some time after they ended.

mod execute;
mod failure;
mod handle;
mod id;
mod keep;
mod output;
mod queue;
mod read;
mod run;
mod state;
mod store;
mod submit;
mod work;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use failure::CallEnding;
pub use failure::FunctionError;
pub use handle::{Outcome, Task, Waited};
pub use id::TaskId;
pub use output::{Output, RecordBatchStream, Table};
pub use read::{Consumed, Reading, Stored};
pub(crate) use run::{panicked, start};
pub use submit::{Cancelled, Refusal};
pub use work::{Submission, TaskContext, Work};

use crate::memory::Budget;
use queue::Queue;
use store::Store;
use submit::Waiting;

/// The bounds of all tasks together.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls that run at a time.
    pub threads: usize,
    /// Calls that may wait for a slot; one more is refused with `BACKPRESSURE`.
    pub queue: usize,
    /// How long a result (or an error) is kept after its task ended.
    pub result_ttl: Duration,
    /// How long a call may take, waiting included, before it is cancelled.
    pub call_deadline: Duration,
    /// Bytes that encoded tables, and the commands they came from, may hold. While they are reached, new calls are
    /// refused with `BACKPRESSURE`. Calls already accepted still store their results, so that memory is bounded by this
    /// number plus the results of `threads` + `queue` calls. A table counts until it expired and its last reader is done;
    /// a stream is not kept and does not count.
    pub result_bytes: usize,
}

/// What all tasks together are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Calls that wait for a slot.
    pub queued: usize,
    /// Calls that hold a slot.
    pub running: usize,
    /// Tasks that ended and whose result, or error, nobody has asked for yet.
    pub unread_results: usize,
    /// Results being read.
    pub streams: usize,
    /// When the last call came in, accepted or not. Polling, reading and cancelling are no new calls.
    pub last_call: Option<Instant>,
}

impl Load {
    /// Whether nobody waits for anything.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.queued == 0 && self.running == 0 && self.unread_results == 0 && self.streams == 0
    }
}

/// Runs tasks and keeps their results. Clones are handles to the same tasks; dropping the last one stops the sweeper.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    _sweeper: Arc<AbortOnDropHandle<()>>,
}

/// What tasks in flight share. No lock in it is ever held while code of a function runs.
struct Shared {
    limits: Limits,
    budget: Budget,
    closed: AtomicBool,
    queue: Mutex<Queue<Waiting>>,
    store: Mutex<Store>,
    /// Rung when something begins to expire while nothing else did.
    sweep: Notify,
    /// Rung whenever the load may have become less.
    eased: Notify,
    streams: AtomicUsize,
    last_call: Mutex<Option<Instant>>,
}

impl Tasks {
    /// Makes room for tasks. Must be called on a Tokio runtime, which then runs them.
    #[must_use]
    pub fn start(limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            limits,
            budget: Budget::new(limits.result_bytes),
            closed: AtomicBool::new(false),
            queue: Mutex::new(Queue::new(limits.threads, limits.queue)),
            store: Mutex::default(),
            sweep: Notify::new(),
            eased: Notify::new(),
            streams: AtomicUsize::new(0),
            last_call: Mutex::new(None),
        });
        let sweeper = AbortOnDropHandle::new(tokio::spawn(store::sweep(Arc::clone(&shared))));
        Self {
            shared,
            _sweeper: Arc::new(sweeper),
        }
    }

    /// What the tasks are doing right now.
    #[must_use]
    pub fn load(&self) -> Load {
        let (queued, running) = {
            let queue = lock(&self.shared.queue);
            (queue.waiting(), queue.running())
        };
        Load {
            queued,
            running,
            unread_results: lock(&self.shared.store).unread(),
            streams: self.shared.streams.load(Ordering::Acquire),
            last_call: *lock(&self.shared.last_call),
        }
    }

    /// Waits until no task waits or runs, and every result is read or expired.
    pub async fn idle(&self) {
        loop {
            let eased = self.shared.eased.notified();
            tokio::pin!(eased);
            eased.as_mut().enable();
            if self.load().is_idle() {
                return;
            }
            eased.await;
        }
    }

    /// Refuses new calls with `SHUTTING_DOWN` from now on. Tasks go on, and can be polled, read and cancelled.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
    }

    /// The task of an id as it came from a client; `None` when there is none, or none any more.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Task>> {
        lock(&self.shared.store).get(TaskId::parse(id)?)
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks")
            .field("limits", &self.shared.limits)
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}

/// Takes a lock. What it guards is whole between any two statements, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A moment later than another; for durations beyond the clock's range, one that does not come.
fn after(start: Instant, duration: Duration) -> Instant {
    const NEVER: Duration = Duration::from_hours(24 * 365 * 30);
    start + duration.min(NEVER)
}

#[cfg(test)]
mod tests;
