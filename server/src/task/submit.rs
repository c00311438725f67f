//! Submitting and cancelling: how clients begin and end tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::begin::begin;
use super::execute::Life;
use super::handle::Progress;
use super::kinds::Kind;
use super::queue::Admission;
use super::state::{Effect, Event, Reason};
use super::{Shared, Submission, Task, Tasks, after, lock};
use crate::telemetry::metrics::Rejection;
use crate::telemetry::spans;

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
    /// As many tasks of this kind wait as may.
    #[error("the share of this function in the queue of waiting calls is full")]
    ShareFull,
    /// The bytes of stored results, and of commands, are at their limit.
    #[error("results hold all the memory they may")]
    OutOfBytes,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closed => Self::ShuttingDown,
            Refusal::QueueFull => Self::QueueFull,
            Refusal::ShareFull => Self::FunctionQueueFull,
            Refusal::OutOfBytes => Self::OutOfMemory,
        }
    }
}

/// What became of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// The task is being cancelled, or was over, or never was.
    Done,
    /// Its result is being stored at this moment.
    TooLate,
}

/// The one client that may know of a task. Dropping it cancels the task.
#[must_use]
pub(crate) struct Caller(Option<(Arc<Shared>, Arc<Task>)>);

impl Caller {
    /// The client is told the outcome; what the task becomes does not depend on it any more.
    pub(crate) fn stays(mut self) {
        self.0 = None;
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some((shared, task)) = self.0.take() {
            shared.cancel(task, Reason::Abandoned);
        }
    }
}

impl Tasks {
    /// Accepts a task, or says at once why not. It goes on without the caller.
    ///
    /// # Errors
    /// The bound, or the end of the server, that stands in the way.
    pub fn submit(&self, submission: Submission) -> Result<Arc<Task>, Refusal> {
        self.note_call();
        let kind = self.shared.kinds.get(submission.work.kind());
        let accepted = self.shared.accept(submission, &kind);
        if let Err(refusal) = accepted {
            kind.metrics.task_rejected(refusal.into());
        }
        accepted
    }

    /// A call came in that is no task; the end of the server waits until none comes any more.
    pub(crate) fn note_call(&self) {
        self.shared.last_call.note(Instant::now());
    }

    /// Ties a task to the client that waits for it.
    pub(crate) fn cancel_on_drop(&self, task: &Arc<Task>) -> Caller {
        Caller(Some((Arc::clone(&self.shared), Arc::clone(task))))
    }

    /// Cancels the task of an id as it came from a client. What is over is forgotten, together with its result.
    #[expect(
        clippy::must_use_candidate,
        reason = "a task that is gone either way needs no second look"
    )]
    pub fn cancel(&self, id: &str) -> Cancelled {
        match self.find(id) {
            Some(task) => self.shared.cancel(task, Reason::Asked),
            None => Cancelled::Done,
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, submission: Submission, kind: &Arc<Kind>) -> Result<Arc<Task>, Refusal> {
        let Submission {
            work,
            command,
            deadline,
        } = submission;
        if self.closed.load(Ordering::Acquire) {
            return Err(Refusal::Closed);
        }
        // A copy, since the bytes of a request may be a part of a much larger buffer.
        let command = Bytes::copy_from_slice(&command);
        let lease = self
            .room
            .memory()
            .lease(TASK_BYTES + command.len())
            .map_err(|_| Refusal::OutOfBytes)?;
        // Work that cannot even tell fails when it runs.
        let blocking = catch_unwind(AssertUnwindSafe(|| work.blocking())).ok();
        let submitted = Instant::now();
        let deadline = after(submitted, deadline.unwrap_or(kind.deadline));
        let progress = Progress {
            work,
            stop: CancellationToken::new(),
            span: Span::none(),
            ticket: None,
            has_slot: false,
        };
        let gauges = Arc::clone(&self.gauges);
        let task = Arc::new(Task::new(Arc::clone(kind), command, deadline, progress, gauges, lease));
        self.line_up(&task)?;

        let span = spans::task(task.kind(), task.id());
        task.in_progress(|progress| progress.span = span.clone());
        let life = Life::new(Arc::clone(self), Arc::clone(&task), submitted, blocking);
        lock(&self.store).insert(Arc::clone(&task));
        if lock(&self.deadlines).insert(Arc::clone(&task)) {
            self.earlier_deadline.notify_one();
        }
        tracing::info!(fun = task.kind(), task_id = %task.id(), "flexconnect_task_created");
        begin(life.live().instrument(span), blocking.unwrap_or(true));
        Ok(task)
    }

    /// Gives a slot to a task, or a place in line.
    fn line_up(&self, task: &Arc<Task>) -> Result<(), Refusal> {
        let mut queue = lock(&self.queue);
        let admission = queue.admit(task.kind_of().bounds, Arc::clone(task));
        match admission {
            Admission::Run => {
                task.in_progress(|progress| progress.has_slot = true);
            }
            Admission::Wait(ticket) => {
                task.in_progress(|progress| progress.ticket = Some(ticket));
                return Ok(());
            }
            Admission::LineFull => return Err(Refusal::ShareFull),
            Admission::QueueFull => return Err(Refusal::QueueFull),
        }
        drop(queue);
        task.advance(Event::SlotGranted);
        Ok(())
    }

    /// Gives free slots to those whose turn it is.
    fn pass_on(&self) {
        loop {
            let mut queue = lock(&self.queue);
            let Some(task) = queue.next() else { break };
            task.in_progress(|progress| {
                progress.ticket = None;
                progress.has_slot = true;
            });
            drop(queue);
            // One that was cancelled in this moment does not run, and gives the slot back as it leaves.
            task.advance(Event::SlotGranted);
        }
    }

    /// Takes a task out of line before its turn.
    fn withdraw(&self, task: &Task) {
        let mut queue = lock(&self.queue);
        if let Some(ticket) = task.in_progress(|progress| progress.ticket.take()).flatten() {
            queue.withdraw(task.kind_of().bounds, ticket);
        }
        drop(queue);
        self.pass_on();
    }

    /// Takes the slot, or the place in line, of a task that is over, and what else it does not need any more.
    pub(super) fn leave(&self, task: &Task) -> Option<Box<Progress>> {
        let mut queue = lock(&self.queue);
        let progress = task.take_progress();
        if let Some(progress) = &progress {
            if progress.has_slot {
                queue.release(task.kind_of().bounds);
            } else if let Some(ticket) = progress.ticket {
                queue.withdraw(task.kind_of().bounds, ticket);
            }
        }
        drop(queue);
        self.pass_on();
        self.gauges.eased.notify_waiters();
        progress
    }

    /// Cancels a task, in whatever state it is.
    pub(super) fn cancel(&self, task: Arc<Task>, reason: Reason) -> Cancelled {
        match task.advance(Event::CancelRequested(reason)) {
            Effect::Withdraw => self.withdraw(&task),
            Effect::Stop => {
                tracing::info!(fun = task.kind(), task_id = %task.id(), "flexconnect_task_cancel");
                self.stop(&task);
            }
            Effect::Evict => {
                drop(lock(&self.store).remove(task.id()));
                self.discard(vec![task]);
            }
            Effect::Refuse => {
                if reason == Reason::Abandoned {
                    // Nobody can ask for what is being stored.
                    task.collect();
                }
                return Cancelled::TooLate;
            }
            Effect::None | Effect::Run | Effect::Store => {}
        }
        Cancelled::Done
    }

    /// Tells work that runs to stop.
    fn stop(&self, task: &Task) {
        let told = task.in_progress(|progress| (Arc::clone(&progress.work), progress.stop.clone()));
        let Some((work, stop)) = told else { return };
        stop.cancel();
        let (id, kind) = (task.id(), Arc::clone(task.kind_of()));
        // The hook is the function's own code: it may block, and it may panic.
        if let Err(error) = self.aside.run(move || work.cancel(&id)) {
            tracing::warn!(fun = &*kind.name, task_id = %id, exception = %error, "cancel_hook_skipped");
        }
    }
}
