//! What a task does: the seam between the tasks and those who bring them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{FunctionError, Output, TaskId};

/// What a task does. A call of a FlexConnect function is one implementation; services bring their own.
///
/// A value belongs to one task: it is run once at most, and dropped when the task is over. A panic in `run` or `cancel`
/// is an error of that task, never of the server.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// What sort of work it is, such as the name of the function. Limits, fairness, logs and metrics go by it, so there
    /// should be few, and none that a client can make up.
    fn kind(&self) -> &str;

    /// Whether `run` computes for long or blocks its thread. Such work runs on threads of its own instead of the ones
    /// that serve the network, and so do the batches of the stream it returns.
    fn blocking(&self) -> bool {
        false
    }

    /// Does it.
    ///
    /// # Errors
    /// What clients that ask for the result are told.
    async fn run(&self, context: TaskContext) -> Result<Output, FunctionError>;

    /// Told once, when a task that runs is cancelled. What `run` itself can see is [`TaskContext::cancelled`]; this hook
    /// is for work that goes on elsewhere. It runs on a thread that may block.
    fn cancel(&self, task: &TaskId) {
        let _ = task;
    }
}

/// What work is told about the task that runs it.
#[derive(Clone, Debug)]
pub struct TaskContext {
    /// The task; its id is in the server's logs.
    pub id: TaskId,
    /// Cancelled when a client cancels, or when the deadline passes. Work that does not end within a few seconds after
    /// that is dropped at its next await.
    pub cancelled: CancellationToken,
    /// When the task is cancelled at the latest.
    pub deadline: Option<Instant>,
}

/// A task to be.
pub struct Submission {
    /// What it does.
    pub work: Arc<dyn Work>,
    /// The bytes that described it, to be shown again with its result.
    pub command: Bytes,
    /// How long it may take from now on, waiting included; without it, as long as the limits of its kind say.
    pub deadline: Option<Duration>,
}

impl std::fmt::Debug for Submission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submission")
            .field("kind", &self.work.kind())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
