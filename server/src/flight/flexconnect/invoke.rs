//! Calls of functions: submitting them, waiting for them, looking after them again.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::FlightInfo;
use bytes::Bytes;

use super::descriptor::Poll;
use super::{FlexConnect, Invocation, Refused, answer, info};
use crate::error::FlightError;
use crate::flight::{CallContext, results};
use crate::function::{Call, FunctionCall, RegisteredFunction};
use crate::task::{Cancelled, Outcome, Stored, Submission, Task, Waited};
use crate::telemetry::metrics::Rejection;
use crate::telemetry::spans;

/// The longest wait for a call that has just been submitted, where a client should soon know of its task: enough for a
/// quick function to spare it a second request.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// How long to wait for a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When it has just been submitted.
    first: Duration,
    /// When it is asked for again.
    again: Duration,
}

impl Patience {
    pub(super) const fn always(interval: Duration) -> Self {
        Self {
            first: interval,
            again: interval,
        }
    }

    pub(super) fn grown(interval: Duration) -> Self {
        Self {
            first: FIRST_LOOK.min(interval),
            again: interval,
        }
    }
}

/// What a client finds that looks after a call.
pub(super) enum Looked {
    Done(Arc<Task>, Arc<Stored>),
    Pending(Arc<Task>),
}

impl FlexConnect {
    /// Calls a function and waits for its end. A client that goes away before it was told the task's id can never come
    /// back for the result: then the task is cancelled.
    pub(super) async fn call(&self, call: &CallContext, command: Bytes) -> Result<FlightInfo, FlightError> {
        let task = self.submit(call, command)?;
        let caller = call.server().tasks().cancel_on_drop(&task);
        let waited = task.wait(task.time_left()).await;
        caller.stays();
        let stored = results::result(&task, waited, "GetFlightInfo", answer::task_was_cancelled)?;
        Ok(info::of_result(call.server(), &task, &stored))
    }

    /// Calls a function, or looks after an earlier call. `method` is the RPC, for messages.
    pub(super) async fn look(
        &self,
        call: &CallContext,
        command: Bytes,
        patience: Patience,
        method: &str,
    ) -> Result<Looked, FlightError> {
        let tasks = call.server().tasks();
        let (task, patience) = match Poll::parse(command)? {
            Poll::Submit(command) => (self.submit(call, command)?, patience.first),
            Poll::Retry(id) => {
                let task = tasks.find(&id).ok_or_else(|| answer::no_such_task(&id))?;
                (task, patience.again)
            }
            Poll::Cancel(id) => {
                spans::expected_answer();
                return Err(match tasks.cancel(&id) {
                    Cancelled::Done => answer::cancelled(),
                    Cancelled::TooLate => answer::cancel_not_possible(),
                });
            }
        };
        match task.wait(patience).await {
            Waited::Ended(Outcome::Succeeded(stored)) => Ok(Looked::Done(task, stored)),
            Waited::Ended(Outcome::Failed(error)) => Err(error),
            Waited::Ended(Outcome::Cancelled) => Err(answer::task_was_cancelled(task.id())),
            Waited::TimedOut => Err(results::timed_out(method, task.id())),
            Waited::Pending => Ok(Looked::Pending(task)),
        }
    }

    pub(super) fn function(&self, name: &str) -> Result<Arc<RegisteredFunction>, FlightError> {
        let registry = self.registry.load();
        registry
            .get(name)
            .cloned()
            .ok_or_else(|| answer::unknown_function(name))
    }

    fn submit(&self, call: &CallContext, command: Bytes) -> Result<Arc<Task>, FlightError> {
        let submitted = self.try_submit(call, command);
        if let Err(error) = &submitted
            && let Some(Refused { code, suppressed }) = self.refused(error)
        {
            tracing::info!(code, suppressed, exception = %error, "flexconnect_fun_submit_failed");
        }
        submitted
    }

    fn try_submit(&self, call: &CallContext, command: Bytes) -> Result<Arc<Task>, FlightError> {
        let metrics = call.server().metrics();
        let Invocation {
            function,
            parameters,
            columns,
        } = Invocation::parse(&command).inspect_err(|_| metrics.call_rejected(Rejection::BadArgument))?;
        let function = self.function(&function);
        let function = function.inspect_err(|_| metrics.call_rejected(Rejection::UnknownFunction))?;
        let made = Call {
            columns,
            headers: call.headers(),
            identity: call.identity().clone(),
            ..Call::new(parameters)
        };
        let submission = Submission {
            work: Arc::new(FunctionCall::new(function, made)),
            command,
            deadline: None,
        };
        Ok(call.server().tasks().submit(submission)?)
    }
}
