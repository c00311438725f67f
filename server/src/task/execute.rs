//! The life of a task: waiting for a slot, running, storing the result, waiting to be forgotten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use tracing::Span;

use super::keep::keep;
use super::run::Running;
use super::state::{Effect, Ending, Event, Reason, Returned, State};
use super::{CallEnding, FunctionError, Output, Shared, Task, TaskContext, after, lock};
use crate::error::FlightError;
use crate::telemetry::metrics::{TaskMeter, TaskOutcome};
use crate::telemetry::spans;

/// Sees a task through from submission to its end. Dropping it ends the task, whatever state that is in.
pub(super) struct Life {
    shared: Arc<Shared>,
    task: Arc<Task>,
    submitted: Instant,
    /// Whether its work blocks the thread it runs on; `None` when it panicked as it was asked.
    blocking: Option<bool>,
    /// When its work began, if it did.
    started: Option<Instant>,
    /// What went wrong, with its causes; for the log.
    failure: Option<String>,
    meter: Option<TaskMeter>,
}

impl Life {
    pub(super) fn new(shared: Arc<Shared>, task: Arc<Task>, submitted: Instant, blocking: Option<bool>) -> Self {
        let meter = Some(task.kind_of().metrics.task_waits());
        Self {
            shared,
            task,
            submitted,
            blocking,
            started: None,
            failure: None,
            meter,
        }
    }

    pub(super) async fn live(mut self) {
        let may_run = self.task.reach(|state| match state {
            State::Queued => None,
            State::Running | State::Cancelling(_) => Some(true),
            State::Finishing | State::Ended(_) => Some(false),
        });
        if may_run.await {
            let started = Instant::now();
            let waited = started.duration_since(self.submitted).as_secs_f64();
            tracing::info!(fun = self.task.kind(), task_id = %self.task.id(), waited, "task_run");
            self.started = Some(started);
            self.meter.as_mut().map(TaskMeter::started);
            let returned = self.run().await;
            self.failure = self.conclude(returned).await;
        }
    }

    /// Runs the work to its end. What was told to stop and does not is stopped by force after a while.
    async fn run(&self) -> Result<Output, FunctionError> {
        let brief = self
            .task
            .in_progress(|progress| (Arc::clone(&progress.work), progress.stop.clone()));
        let (work, cancelled) = brief.ok_or_else(FunctionError::cancelled)?;
        let blocking = self.blocking.ok_or_else(FunctionError::panicked)?;
        let id = self.task.id();
        let context = TaskContext {
            id,
            cancelled,
            deadline: Some(self.task.deadline()),
        };
        let mut running = Running::start(work, blocking, context, &self.shared.workshop)?;
        let told_to_stop = self
            .task
            .reach(|state| matches!(state, State::Cancelling(_)).then_some(()));
        tokio::select! {
            biased;
            returned = &mut running => return returned,
            () = told_to_stop => {}
        }
        if let Ok(returned) = timeout(self.shared.limits.cancel_grace, &mut running).await {
            return returned;
        }
        let leaks = &self.shared.workshop.leaks;
        loop {
            // Made before the leaks are counted, so that no thread that comes back is missed.
            let fewer = leaks.fewer();
            if running.stop(leaks) {
                tracing::warn!(fun = self.task.kind(), task_id = %id, leaked_threads = leaks.count(), "task_stopped_by_force");
                return Err(FunctionError::cancelled());
            }
            tokio::select! {
                biased;
                returned = &mut running => return returned,
                () = fewer => {}
            }
        }
    }

    /// Stores what the work returned, unless the task was cancelled meanwhile. Tells the whole text of a failure.
    async fn conclude(&self, returned: Result<Output, FunctionError>) -> Option<String> {
        let task = &self.task;
        let output = match returned {
            Ok(output) => output,
            Err(error) => {
                let text = error.to_string();
                task.advance(Event::Returned(settle_failure(task, error)));
                return Some(text);
            }
        };
        if task.advance(Event::Returned(Returned::Output)) != Effect::Store {
            // Perhaps a stream, which is a function's own code.
            drop(spawn_blocking(move || drop(output)));
            return None;
        }
        let stored = keep(&self.shared.room, &self.shared.metrics, output).await;
        let readable = stored.is_ok();
        let text = match stored {
            Ok(stored) => {
                task.settle(Ok(Arc::new(stored)));
                None
            }
            Err(error) => {
                let text = error.to_string();
                settle_failure(task, error);
                Some(text)
            }
        };
        task.advance(Event::Stored { readable });
        text
    }

    /// Logs how the task ended, and the seconds it waited, ran, and took; -1 when it never ran.
    fn log_end(&self, ending: Ending) {
        let (fun, task_id) = (self.task.kind(), self.task.id());
        let or_never = |seconds: Option<f64>| seconds.unwrap_or(-1.0);
        let run_waited_duration = or_never(self.started.map(|at| at.duration_since(self.submitted).as_secs_f64()));
        let run_duration = or_never(self.started.map(|at| at.elapsed().as_secs_f64()));
        let duration = or_never(self.started.map(|_| self.submitted.elapsed().as_secs_f64()));
        let exception = self.failure.as_deref();
        let span = Span::current();
        match ending {
            Ending::Succeeded => {
                spans::task_succeeded(&span);
                tracing::info!(fun, %task_id, run_waited_duration, run_duration, duration, "task_finished");
            }
            Ending::Cancelled(_) => {
                spans::task_cancelled(&span);
                tracing::info!(fun, %task_id, run_waited_duration, run_duration, duration, exception, "task_cancelled");
            }
            Ending::Failed => {
                let error = self.task.error();
                if let Some(error) = error {
                    spans::task_failed(&span, error);
                }
                let code = error.and_then(FlightError::code).map(|code| code.to_string());
                tracing::error!(fun, %task_id, run_waited_duration, run_duration, duration, code, exception, "task_failed");
            }
        }
    }
}

/// The task is over, and waits to be forgotten. Also when the runtime ends, or a panic came through.
impl Drop for Life {
    fn drop(&mut self) {
        let (shared, task) = (&self.shared, &self.task);
        if task.ending().is_none() {
            let error = if std::thread::panicking() {
                FunctionError::panicked()
            } else {
                FunctionError::failed("the call was lost as the server ended.")
            };
            settle_failure(task, error);
            task.advance(Event::Lost);
        }
        if let Some(ending) = task.ending() {
            self.log_end(ending);
            if let Some(meter) = self.meter.take() {
                meter.ended(TaskOutcome::from(ending));
            }
        }
        let expiry = after(Instant::now(), shared.limits.result_ttl);
        if lock(&shared.store).expire(task.id(), expiry) {
            shared.sweep.notify_one();
        }
        drop(lock(&shared.deadlines).remove(task));
        let progress = shared.leave(task);
        // The work may be dropped with it, which is its own code.
        drop(catch_unwind(AssertUnwindSafe(|| drop(progress))));
    }
}

impl From<Ending> for TaskOutcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Succeeded => Self::Succeeded,
            Ending::Failed => Self::Failed,
            Ending::Cancelled(Reason::Deadline) => Self::TimedOut,
            Ending::Cancelled(Reason::Asked | Reason::Abandoned | Reason::Function) => Self::Cancelled,
        }
    }
}

/// Keeps the error that clients will see.
fn settle_failure(task: &Task, error: FunctionError) -> Returned {
    match error.into_ending() {
        CallEnding::Cancelled => Returned::Cancelled,
        CallEnding::Failed(error) => {
            task.settle(Err(error));
            Returned::Failure
        }
    }
}
