//! Submitting and cancelling: how clients begin and end tasks.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::queue::Admission;
use super::state::{Effect, Event, Reason};
use super::{Shared, Submission, Task, TaskId, Tasks, lock};

/// What a task takes from the byte budget beside its command and its result, about.
const TASK_BYTES: usize = 1024;

/// Why a task was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server is about to end.
    #[error("the server takes no new calls")]
    Closed,
    /// As many tasks wait as may, of all kinds together.
    #[error("the queue of waiting calls is full")]
    QueueFull,
    /// As many tasks of this kind wait as may, beside those of other kinds.
    #[error("the share of this function in the queue of waiting calls is full")]
    ShareFull,
    /// The bytes of stored results, and of commands, are at their limit.
    #[error("results hold all the memory they may")]
    OutOfBytes,
}

/// What became of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The task is being cancelled, or was over, or never was.
    Done,
    /// Its result is being stored at this moment.
    TooLate,
}

/// A task in line.
pub(super) struct Waiting {
    id: TaskId,
    grant: oneshot::Sender<Slot>,
}

/// The right to run. Dropping it passes it on to the next in line.
pub(super) struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        let next = lock(&self.0.queue).release();
        if let Some(waiting) = next {
            // A task that does not wait any more gives its slot back, which passes it on.
            let _ = waiting.grant.send(Self(Arc::clone(&self.0)));
        }
        self.0.eased.notify_waiters();
    }
}

/// The one client that may know of a task. Dropping it cancels the task.
#[must_use]
pub struct Caller(Option<(Arc<Shared>, Arc<Task>)>);

impl Caller {
    /// The client is told the outcome; what the task becomes does not depend on it any more.
    pub fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some((shared, task)) = self.0.take() {
            shared.cancel(&task, Reason::Abandoned);
        }
    }
}

impl Tasks {
    /// Accepts a task, or says at once why not. It goes on without the caller.
    ///
    /// # Errors
    /// The bound, or the end of the server, that stands in the way.
    pub fn submit(&self, submission: Submission) -> Result<Arc<Task>, Refusal> {
        let shared = &self.shared;
        *lock(&shared.last_call) = Some(Instant::now());
        if shared.closed.load(Ordering::Acquire) {
            return Err(Refusal::Closed);
        }
        // A copy, since the bytes of a request may be a part of a much larger buffer.
        let command = Bytes::copy_from_slice(&submission.command);
        let lease = shared
            .budget
            .lease(TASK_BYTES + command.len())
            .map_err(|_| Refusal::OutOfBytes)?;
        let task = Arc::new(Task::new(
            submission.work,
            command,
            submission.deadline.unwrap_or(shared.limits.call_deadline),
            lease,
        ));

        let (grant, slot) = oneshot::channel();
        let admission = lock(&shared.queue).admit(Waiting { id: task.id(), grant });
        match admission {
            // The receiver is right here.
            Admission::Run(waiting) => drop(waiting.grant.send(Slot(Arc::clone(shared)))),
            Admission::Wait => {}
            Admission::Refused(_) => return Err(Refusal::QueueFull),
        }
        lock(&shared.store).insert(Arc::clone(&task));
        tracing::info!(fun = task.kind(), task_id = %task.id(), "flexconnect_task_created");

        let life = Arc::clone(shared).live(Arc::clone(&task), slot);
        // What the RPC's span says, such as the peer, belongs to the log lines of its task too.
        tokio::spawn(life.in_current_span());
        Ok(task)
    }

    /// Ties a task to the client that waits for it.
    pub fn cancel_on_drop(&self, task: &Arc<Task>) -> Caller {
        Caller(Some((Arc::clone(&self.shared), Arc::clone(task))))
    }

    /// Cancels the task of an id as it came from a client. What is over is forgotten, together with its result.
    #[expect(
        clippy::must_use_candidate,
        reason = "a task that is gone either way needs no second look"
    )]
    pub fn cancel(&self, id: &str) -> Cancelled {
        match self.find(id) {
            Some(task) => self.shared.cancel(&task, Reason::Asked),
            None => Cancelled::Done,
        }
    }
}

impl Shared {
    /// Cancels a task, in whatever state it is.
    pub(super) fn cancel(&self, task: &Arc<Task>, reason: Reason) -> Cancelled {
        match task.advance(Event::CancelRequested(reason)) {
            Effect::Withdraw => {
                drop(lock(&self.queue).withdraw(|waiting| waiting.id == task.id()));
                task.stop.cancel();
            }
            Effect::Stop => {
                tracing::info!(fun = task.kind(), task_id = %task.id(), "flexconnect_task_cancel");
                task.stop.cancel();
                // The hook is a function's own code: it may block, and it may panic.
                let task = Arc::clone(task);
                drop(spawn_blocking(move || {
                    task.work().cancel(&task.id());
                }));
            }
            Effect::Evict => {
                let evicted = lock(&self.store).remove(task.id());
                drop(spawn_blocking(move || drop(evicted)));
                self.eased.notify_waiters();
            }
            Effect::Refuse => return Cancelled::TooLate,
            Effect::None | Effect::Run | Effect::Store => {}
        }
        Cancelled::Done
    }
}
