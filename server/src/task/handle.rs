//! One task: where it is, how it ended, and waiting for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::read::Stored;
use super::state::{Effect, Ending, Event, Reason, State};
use super::{TaskId, Work, after};
use crate::error::{ErrorCode, FlightError};
use crate::memory::Lease;

/// A call that was accepted.
pub struct Task {
    id: TaskId,
    work: Arc<dyn Work>,
    command: Bytes,
    submitted: Instant,
    deadline: Instant,
    state: watch::Sender<State>,
    /// Cancelled together with the task.
    pub(super) stop: CancellationToken,
    /// Set before the state says that the task succeeded or failed.
    outcome: OnceLock<Result<Arc<Stored>, FlightError>>,
    /// Whether somebody was told how the task ended, or began to read its result.
    collected: AtomicBool,
    /// What the task itself takes from the budget.
    _lease: Lease,
}

/// How a task ended, with what there is to show for it.
pub enum Outcome {
    /// There is a result to read.
    Succeeded(Arc<Stored>),
    /// There is an error to tell.
    Failed(FlightError),
    /// There is nothing.
    Cancelled,
}

/// What became of waiting for a task.
pub enum Waited {
    /// The task is over.
    Ended(Outcome),
    /// It goes on, and its deadline passed.
    TimedOut,
    /// It goes on.
    Pending,
}

impl Task {
    pub(super) fn new(work: Arc<dyn Work>, command: Bytes, call_deadline: Duration, lease: Lease) -> Self {
        let submitted = Instant::now();
        Self {
            id: TaskId::random(),
            work,
            command,
            submitted,
            deadline: after(submitted, call_deadline),
            state: watch::Sender::new(State::Queued),
            stop: CancellationToken::new(),
            outcome: OnceLock::new(),
            collected: AtomicBool::new(false),
            _lease: lease,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    pub(super) const fn work(&self) -> &Arc<dyn Work> {
        &self.work
    }

    /// What sort of work it does.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.work.kind()
    }

    /// The command that started it, byte for byte.
    #[must_use]
    pub const fn command(&self) -> &Bytes {
        &self.command
    }

    pub(super) const fn submitted(&self) -> Instant {
        self.submitted
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Time until the deadline; zero once it passed.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Moves the task along. The caller does what the effect says.
    pub(super) fn advance(&self, event: Event) -> Effect {
        let mut effect = Effect::None;
        self.state.send_if_modified(|state| {
            let before = *state;
            (*state, effect) = before.after(event);
            *state != before
        });
        effect
    }

    /// Says what there is to show for the task. Only the first word counts.
    pub(super) fn settle(&self, outcome: Result<Arc<Stored>, FlightError>) {
        let _ = self.outcome.set(outcome);
    }

    /// Whether it has ended, in whatever way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ending().is_some()
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.state.borrow().ending()
    }

    /// Waits until the task is over, for so long at most, and not beyond its deadline.
    ///
    /// Who waits when the deadline passes is told so, even though the task is cancelled in the same moment; who comes
    /// later finds it cancelled, or still at it.
    pub async fn wait(&self, limit: Duration) -> Waited {
        let now = Instant::now();
        let in_time = now < self.deadline;
        let until = after(now, limit);
        let until = if in_time { until.min(self.deadline) } else { until };
        match timeout_at(until, self.end()).await {
            Ok(Ending::Cancelled(Reason::Deadline)) if in_time => self.timed_out(),
            Ok(ending) => Waited::Ended(self.outcome(ending)),
            Err(_) if Instant::now() >= self.deadline => self.timed_out(),
            Err(_) => Waited::Pending,
        }
    }

    async fn end(&self) -> Ending {
        let mut state = self.state.subscribe();
        loop {
            if let Some(ending) = state.borrow_and_update().ending() {
                return ending;
            }
            // The sender lives as long as `self`.
            let _ = state.changed().await;
        }
    }

    fn timed_out(&self) -> Waited {
        self.collect();
        Waited::TimedOut
    }

    fn outcome(&self, ending: Ending) -> Outcome {
        let outcome = match (ending, self.outcome.get()) {
            (Ending::Succeeded, Some(Ok(stored))) => return Outcome::Succeeded(Arc::clone(stored)),
            (Ending::Failed, Some(Err(error))) => Outcome::Failed(error.clone()),
            (Ending::Cancelled(_) | Ending::Succeeded | Ending::Failed, _) => Outcome::Cancelled,
        };
        self.collect();
        outcome
    }

    /// The code of the error that the task failed with.
    pub(super) fn error_code(&self) -> Option<ErrorCode> {
        self.outcome.get()?.as_ref().err()?.code()
    }

    /// Notes that somebody knows how the task ended.
    pub(super) fn collect(&self) {
        self.collected.store(true, Ordering::Release);
    }

    /// Whether the task is over and nobody knows yet. Who asked for a task to be cancelled knows.
    pub(super) fn is_unread(&self) -> bool {
        match self.ending() {
            None | Some(Ending::Cancelled(Reason::Asked | Reason::Abandoned)) => false,
            Some(Ending::Succeeded | Ending::Failed | Ending::Cancelled(Reason::Deadline | Reason::Function)) => {
                !self.collected.load(Ordering::Acquire)
            }
        }
    }
}
