//! One task: where it is, how it ended, and waiting for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::gauges::{Gauges, Mark};
use super::kinds::Kind;
use super::queue::Ticket;
use super::read::Stored;
use super::state::{Effect, Ending, Event, Reason, State};
use super::{TaskId, Work, lock};
use crate::error::FlightError;
use crate::memory::Lease;

/// A call that was accepted.
///
/// There may be a million of them that are over and wait to be forgotten, so what only a task in progress needs is apart.
pub struct Task {
    id: TaskId,
    kind: Arc<Kind>,
    command: Bytes,
    deadline: Instant,
    overdue: AtomicBool,
    state: Mutex<State>,
    /// Rung when the state changes, and when the deadline passes.
    changed: Notify,
    /// Gone when the task is over.
    progress: Mutex<Option<Box<Progress>>>,
    /// Set before the state says that the task succeeded or failed.
    outcome: OnceLock<Result<Arc<Stored>, Box<FlightError>>>,
    /// Whether the task is over and nobody knows yet.
    unread: Mark,
    /// What the task itself takes from the budget.
    _lease: Lease,
}

/// What a task in progress needs.
pub(super) struct Progress {
    pub(super) work: Arc<dyn Work>,
    /// Cancelled together with the task.
    pub(super) stop: CancellationToken,
    /// The span of its log lines and, where there are any, of its traces.
    pub(super) span: Span,
    /// Its place in line, if it had to wait.
    pub(super) ticket: Option<Ticket>,
    /// Whether a slot is its own, in line or not.
    pub(super) has_slot: bool,
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
    pub(super) fn new(
        kind: Arc<Kind>,
        command: Bytes,
        deadline: Instant,
        progress: Progress,
        gauges: Arc<Gauges>,
        lease: Lease,
    ) -> Self {
        Self {
            id: TaskId::random(),
            kind,
            command,
            deadline,
            overdue: AtomicBool::new(false),
            state: Mutex::new(State::Queued),
            changed: Notify::new(),
            progress: Mutex::new(Some(Box::new(progress))),
            outcome: OnceLock::new(),
            unread: Mark::new(gauges),
            _lease: lease,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// What sort of work it does.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind.name
    }

    pub(super) const fn kind_of(&self) -> &Arc<Kind> {
        &self.kind
    }

    /// The command that started it, byte for byte.
    #[must_use]
    pub const fn command(&self) -> &Bytes {
        &self.command
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Time until the deadline; zero once it passed.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Looks at what only a task in progress has.
    pub(super) fn in_progress<T>(&self, look: impl FnOnce(&mut Progress) -> T) -> Option<T> {
        lock(&self.progress).as_deref_mut().map(look)
    }

    /// Takes what a task that is over does not need; the caller drops it, where code of the work may run.
    pub(super) fn take_progress(&self) -> Option<Box<Progress>> {
        lock(&self.progress).take()
    }

    /// The span of the task's log lines.
    pub(super) fn span(&self) -> Span {
        self.in_progress(|progress| progress.span.clone())
            .unwrap_or_else(Span::none)
    }

    /// Moves the task along. The caller does what the effect says.
    pub(super) fn advance(&self, event: Event) -> Effect {
        let mut state = lock(&self.state);
        let before = *state;
        let (now, effect) = before.after(event);
        *state = now;
        if before.ending().is_none() && now.ending().is_some_and(Ending::is_news) {
            self.unread.set();
        }
        drop(state);
        if now != before {
            self.changed.notify_waiters();
        }
        effect
    }

    /// Says what there is to show for the task. Only the first word counts.
    pub(super) fn settle(&self, outcome: Result<Arc<Stored>, FlightError>) {
        let _ = self.outcome.set(outcome.map_err(Box::new));
    }

    /// Whether it has ended, in whatever way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ending().is_some()
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        lock(&self.state).ending()
    }

    /// The deadline passed: who waits for the task is told so.
    pub(super) fn pass_deadline(&self) {
        self.overdue.store(true, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// Waits until the task is over, for so long at most, and not beyond its deadline.
    ///
    /// Who waits when the deadline passes is told so, even though the task is cancelled in the same moment; who comes
    /// later finds it cancelled, or still at it.
    pub async fn wait(&self, limit: Duration) -> Waited {
        let in_time = !self.is_overdue();
        let end = self.reach(|state| match state.ending() {
            Some(Ending::Cancelled(Reason::Deadline)) if in_time => Some(None),
            Some(ending) => Some(Some(ending)),
            None => (in_time && self.is_overdue()).then_some(None),
        });
        // Most clients wait for as long as the deadline lets them; they need no alarm of their own.
        let ended = if in_time && limit >= self.time_left() {
            Ok(end.await)
        } else {
            timeout(limit, end).await
        };
        match ended {
            Ok(Some(ending)) => Waited::Ended(self.outcome(ending)),
            Ok(None) => self.timed_out(),
            Err(_) if self.is_overdue() => self.timed_out(),
            Err(_) => Waited::Pending,
        }
    }

    /// Waits until the state, or that the deadline passed, says something.
    pub(super) async fn reach<T>(&self, says: impl Fn(State) -> Option<T>) -> T {
        loop {
            // Made before the state is looked at, so that no change is missed.
            let changed = self.changed.notified();
            let state = *lock(&self.state);
            if let Some(said) = says(state) {
                return said;
            }
            changed.await;
        }
    }

    fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Acquire)
    }

    fn timed_out(&self) -> Waited {
        self.collect();
        Waited::TimedOut
    }

    fn outcome(&self, ending: Ending) -> Outcome {
        let outcome = match (ending, self.outcome.get()) {
            (Ending::Succeeded, Some(Ok(stored))) => return Outcome::Succeeded(Arc::clone(stored)),
            (Ending::Failed, Some(Err(error))) => Outcome::Failed(FlightError::clone(error)),
            (Ending::Cancelled(_) | Ending::Succeeded | Ending::Failed, _) => Outcome::Cancelled,
        };
        self.collect();
        outcome
    }

    /// The error that the task failed with.
    pub(super) fn error(&self) -> Option<&FlightError> {
        self.outcome.get()?.as_ref().err().map(AsRef::as_ref)
    }

    /// Notes that somebody knows how the task ended, or that nobody can ask any more.
    pub(super) fn collect(&self) {
        self.unread.clear();
    }
}

/// Nobody can ask for it any more.
impl Drop for Task {
    fn drop(&mut self) {
        self.collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_over_keeps_little() {
        assert!(size_of::<Task>() <= 224, "{} bytes, a million times", size_of::<Task>());
    }
}
