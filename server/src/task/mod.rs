//! Tasks: the state machine, the bounded executor and the store of results.
//!
//! A call is a task with a life of its own: the client that started it may go away and come back for the result. Tasks
//! of one kind start in the order they were submitted, kinds take turns and share a fixed number of slots, each task ends
//! at its deadline at the latest (or a little later, if its function does not let go), and is forgotten some time after.

mod batches;
mod begin;
mod deadlines;
mod encoded;
mod execute;
mod failure;
mod gauges;
mod handle;
mod id;
mod keep;
mod kinds;
mod leaks;
mod limits;
mod output;
mod queue;
mod read;
mod run;
mod shares;
mod source;
mod spilled;
mod state;
mod store;
mod submit;
mod threads;
mod work;
mod workshop;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

pub use encoded::Encoded;
pub(crate) use failure::CallEnding;
pub use failure::FunctionError;
pub use handle::{Outcome, Task, Waited};
pub use id::TaskId;
pub(crate) use keep::{Destination, place};
pub use limits::{KindLimits, Limits};
pub use output::{Output, RecordBatchStream, Table};
pub use read::{Consumed, Reading, Stored, Totals};
pub(crate) use run::{panicked, start};
#[cfg(feature = "fuzzing")]
pub(crate) use spilled::fuzz_spilled;
pub use submit::{Cancelled, Refusal};
pub use work::{Submission, TaskContext, Work};

use crate::memory::Room;
use crate::telemetry::Metrics;
use deadlines::Deadlines;
use gauges::Gauges;
use kinds::Kinds;
use leaks::Leaks;
use queue::Queue;
use shares::Shares;
use store::Store;
use threads::{Priority, Threads};
use workshop::Workshop;

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
    /// When the last call came in, accepted or not: a task, or an upload. Polling, reading and cancelling are no new calls.
    pub last_call: Option<Instant>,
}

impl Load {
    /// Whether nobody waits for anything.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.queued == 0 && self.running == 0 && self.unread_results == 0 && self.streams == 0
    }
}

/// Runs tasks and keeps their results. Clones are handles to the same tasks; dropping the last one stops the sweepers.
#[derive(Clone)]
pub struct Tasks {
    shared: Arc<Shared>,
    _sweepers: Arc<[AbortOnDropHandle<()>; 2]>,
}

/// What tasks in flight share. No lock in it is ever held while code of a function runs.
struct Shared {
    /// The one that everything here runs on. Whoever cancels a task may be on none.
    runtime: Handle,
    limits: Limits,
    room: Room,
    metrics: Metrics,
    closed: AtomicBool,
    kinds: Kinds,
    queue: Mutex<Queue<Arc<Task>>>,
    deadlines: Mutex<Deadlines>,
    /// Rung when a deadline comes before the sweeper would look.
    earlier_deadline: Notify,
    store: Mutex<Store>,
    /// Rung when something begins to expire while nothing else did.
    sweep: Notify,
    workshop: Workshop,
    /// Runs code of functions that nobody waits for: what shall stop work that goes on elsewhere.
    aside: Threads,
    gauges: Arc<Gauges>,
    last_call: LastCall,
}

impl Tasks {
    /// Makes room for tasks that nobody counts and whose results stay in memory. Must be called on a Tokio runtime, which
    /// then runs them.
    #[must_use]
    pub fn start(limits: Limits) -> Self {
        Self::start_in(Room::new(limits.result_bytes, None), limits, Metrics::new())
    }

    /// Makes room for tasks, whose results go where the room is; the limit of bytes is the room's. Must be called on a
    /// Tokio runtime, which then runs them.
    #[must_use]
    pub fn start_in(room: Room, limits: Limits, metrics: Metrics) -> Self {
        /// Hooks that run at a time, and that wait. One that does not return must not stop the others so soon.
        const HOOKS: (usize, usize) = (16, 1024);

        let slots = Shares::new(limits.threads.max(1)).total();
        let shared = Arc::new(Shared {
            runtime: Handle::current(),
            room,
            metrics: metrics.clone(),
            closed: AtomicBool::new(false),
            kinds: Kinds::new(&limits, metrics.clone()),
            queue: Mutex::new(Queue::new(limits.threads, limits.queue)),
            deadlines: Mutex::default(),
            earlier_deadline: Notify::new(),
            store: Mutex::default(),
            sweep: Notify::new(),
            workshop: Workshop::new(slots, Leaks::new(limits.threads, metrics)),
            aside: Threads::new("fun-cancel", Priority::Normal, HOOKS.0, HOOKS.1),
            gauges: Arc::default(),
            last_call: LastCall::never(),
            limits,
        });
        let sweepers = [
            AbortOnDropHandle::new(tokio::spawn(store::sweep(Arc::clone(&shared)))),
            AbortOnDropHandle::new(tokio::spawn(deadlines::enforce(Arc::clone(&shared)))),
        ];
        Self {
            shared,
            _sweepers: Arc::new(sweepers),
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
            unread_results: self.shared.gauges.unread.load(Ordering::Acquire),
            streams: self.shared.gauges.streams.load(Ordering::Acquire),
            last_call: self.shared.last_call.get(),
        }
    }

    /// Takes every lock once: it returns when nobody holds one for ever.
    pub(crate) fn touch(&self) {
        drop(lock(&self.shared.queue));
        drop(lock(&self.shared.store));
        drop(lock(&self.shared.deadlines));
    }

    /// Waits until no task waits or runs, and every result is read or expired.
    pub async fn idle(&self) {
        loop {
            let eased = self.shared.gauges.eased.notified();
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

    /// Whether new calls are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
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

/// When the last call came.
struct LastCall {
    begin: Instant,
    /// Nanoseconds since `begin`, and one more; zero for never. Enough for 584 years.
    after: AtomicU64,
}

impl LastCall {
    fn never() -> Self {
        Self {
            begin: Instant::now(),
            after: AtomicU64::new(0),
        }
    }

    fn note(&self, now: Instant) {
        let after = now.saturating_duration_since(self.begin).as_nanos();
        let after = u64::try_from(after).unwrap_or(u64::MAX - 1) + 1;
        self.after.fetch_max(after, Ordering::AcqRel);
    }

    fn get(&self) -> Option<Instant> {
        let after = self.after.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.begin + Duration::from_nanos(after))
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
