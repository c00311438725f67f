//! A call of a function, as work for a task.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::{Call, FunctionError, Output, RegisteredFunction};
use crate::task::{self, TaskContext, TaskId, Work};

/// A function together with the one call of it.
pub(crate) struct FunctionCall {
    function: Arc<RegisteredFunction>,
    /// Taken when it runs, so that a task that is over keeps no parameters.
    call: Mutex<Option<Call>>,
}

impl FunctionCall {
    /// The call's task and cancellation become those of the task that runs it.
    pub(crate) fn new(function: Arc<RegisteredFunction>, call: Call) -> Self {
        Self {
            function,
            call: Mutex::new(Some(call)),
        }
    }
}

#[async_trait]
impl Work for FunctionCall {
    fn kind(&self) -> &str {
        self.function.name()
    }

    fn blocking(&self) -> bool {
        self.function.blocking()
    }

    async fn run(&self, context: TaskContext) -> Result<Output, FunctionError> {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut call) = call else {
            return Err(FunctionError::failed("the call ran before."));
        };
        let TaskContext {
            id,
            cancelled,
            deadline,
        } = context;
        call.task_id = id;
        call.cancelled = cancelled;
        call.deadline = deadline;
        self.function.implementation().call(call).await
    }

    fn cancel(&self, task: &TaskId) {
        self.function.implementation().cancel(task);
    }
}

/// Starts a call outside of any task, on a task or a thread of its own, where a panic of it stays.
pub(crate) fn start(function: Arc<RegisteredFunction>, call: Call) -> JoinHandle<Result<Output, FunctionError>> {
    let context = TaskContext {
        id: call.task_id,
        cancelled: call.cancelled.clone(),
        deadline: call.deadline,
    };
    task::start(Arc::new(FunctionCall::new(function, call)), context)
}
