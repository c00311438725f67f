//! The life of a task: waiting for a slot, running, storing the result, waiting to be forgotten.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use super::keep::keep;
use super::state::{Effect, Ending, Event, Reason, Returned};
use super::submit::Slot;
use super::{CallEnding, FunctionError, Output, Shared, Task, TaskContext, after, lock, run};

/// How long a cancelled call may take to end by itself before it is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(5);

impl Shared {
    /// Sees a task through from submission to its end.
    pub(super) async fn live(self: Arc<Self>, task: Arc<Task>, slot: oneshot::Receiver<Slot>) {
        let slot = tokio::select! {
            biased;
            slot = slot => slot.ok(),
            () = self.called_off(&task) => None,
        };
        let mut run = None;
        if slot.is_some() && task.advance(Event::SlotGranted) == Effect::Run {
            let started = Instant::now();
            let waited = started.duration_since(task.submitted()).as_secs_f64();
            tracing::info!(fun = task.kind(), task_id = %task.id(), waited, "task_run");
            let returned = self.run(&task).await;
            let failure = self.conclude(&task, returned).await;
            run = Some(Run { started, failure });
        }
        log_end(&task, run.as_ref());
        self.retire(&task);
        drop(slot);
    }

    /// Runs the function to its end. One that was told to stop and does not is dropped after a while; one that blocks
    /// its thread cannot be, and keeps its slot until it returns.
    async fn run(&self, task: &Arc<Task>) -> Result<Output, FunctionError> {
        let context = TaskContext {
            id: task.id(),
            cancelled: task.stop.child_token(),
        };
        let mut running = run::start(Arc::clone(task.work()), context);
        let returned = tokio::select! {
            returned = &mut running => returned,
            () = self.called_off(task) => {
                if let Ok(returned) = timeout(CANCEL_GRACE, &mut running).await {
                    returned
                } else {
                    running.abort();
                    running.await
                }
            }
        };
        returned.unwrap_or_else(|error| Err(run::panicked(&error)))
    }

    /// Returns when the task is cancelled; cancels it when its deadline passes.
    async fn called_off(&self, task: &Arc<Task>) {
        tokio::select! {
            () = task.stop.cancelled() => {}
            () = sleep_until(task.deadline()) => {
                tracing::warn!(fun = task.kind(), task_id = %task.id(), "flexconnect_fun_call_timeout");
                self.cancel(task, Reason::Deadline);
            }
        }
    }

    /// Stores what the function returned, unless the task was cancelled meanwhile. Tells the whole text of a failure,
    /// which is for the log.
    async fn conclude(&self, task: &Task, returned: Result<Output, FunctionError>) -> Option<String> {
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
        let stored = keep(&self.budget, output).await;
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

    /// Lets a task that is over expire.
    fn retire(&self, task: &Task) {
        let expiry = after(Instant::now(), self.limits.result_ttl);
        let first = lock(&self.store).expire(task.id(), expiry);
        if first {
            self.sweep.notify_one();
        }
        self.eased.notify_waiters();
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

/// A run that is over, for the log.
struct Run {
    started: Instant,
    /// What went wrong, with its causes.
    failure: Option<String>,
}

/// Logs how a task ended, and the seconds it waited, ran, and took; -1 when it never ran.
fn log_end(task: &Task, run: Option<&Run>) {
    let (fun, task_id) = (task.kind(), task.id());
    let run_waited_duration = run.map_or(-1.0, |run| run.started.duration_since(task.submitted()).as_secs_f64());
    let run_duration = run.map_or(-1.0, |run| run.started.elapsed().as_secs_f64());
    let duration = run.map_or(-1.0, |_| task.submitted().elapsed().as_secs_f64());
    let exception = run.and_then(|run| run.failure.as_deref());
    match task.ending() {
        Some(Ending::Succeeded) => {
            tracing::info!(fun, %task_id, run_waited_duration, run_duration, duration, "task_finished");
        }
        Some(Ending::Cancelled(_)) => {
            tracing::info!(fun, %task_id, run_waited_duration, run_duration, duration, exception, "task_cancelled");
        }
        Some(Ending::Failed) => {
            let code = task.error_code().map(|code| code.to_string());
            tracing::error!(fun, %task_id, run_waited_duration, run_duration, duration, code, exception, "task_failed");
        }
        // Not reached: a task is retired when it is over.
        None => {}
    }
}
