//! Runs work where it belongs: on the threads of the network, or on threads of its own.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tracing::Instrument as _;

use super::{FunctionError, Output, TaskContext, Work};

/// Starts work on a task or a thread of its own, where a panic of it stays.
///
/// Aborting the handle drops asynchronous work at its next await; blocking work runs on.
pub(crate) fn start(work: Arc<dyn Work>, context: TaskContext) -> JoinHandle<Result<Output, FunctionError>> {
    let span = tracing::info_span!("task", fun = work.kind(), task_id = %context.id);
    if work.blocking() {
        let runtime = Handle::current();
        spawn_blocking(move || {
            runtime
                .block_on(work.run(context).instrument(span))
                .map(on_blocking_threads)
        })
    } else {
        tokio::spawn(async move { work.run(context).await }.instrument(span))
    }
}

/// Pulls each batch of a stream on a thread that may block.
fn on_blocking_threads(output: Output) -> Output {
    match output {
        Output::Table(table) => Output::Table(table),
        Output::Stream(stream) => Output::Stream(stream.map_batches(|batches| stream::unfold(Some(batches), pull))),
    }
}

type Batch = Result<RecordBatch, FunctionError>;
type Batches = BoxStream<'static, Batch>;

async fn pull(batches: Option<Batches>) -> Option<(Batch, Option<Batches>)> {
    let mut batches = batches?;
    let runtime = Handle::current();
    let pulled = spawn_blocking(move || {
        let batch = runtime.block_on(batches.next());
        (batch, batches)
    });
    match pulled.await {
        Ok((batch, batches)) => batch.map(|batch| (batch, Some(batches))),
        Err(error) => Some((Err(panicked(&error)), None)),
    }
}

/// The error of work that panicked, or whose runtime is gone. What the panic said is in the log of the panic hook; it is
/// written for programmers and may show values, so clients do not get it.
pub(crate) fn panicked(error: &JoinError) -> FunctionError {
    if error.is_panic() {
        FunctionError::failed("the function panicked.")
    } else {
        FunctionError::cancelled()
    }
}
