//! Runs calls where they belong: on the threads of the network, or on threads of their own.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Instrument as _;

use super::{Call, FunctionError, Output, RegisteredFunction};

/// Starts a call on a task or a thread of its own, where a panic of it stays.
///
/// Aborting the handle drops an asynchronous call at its next await; a blocking one runs on.
pub(crate) fn start(function: Arc<RegisteredFunction>, call: Call) -> JoinHandle<Result<Output, FunctionError>> {
    let span = tracing::info_span!("task", fun = function.name(), task_id = %call.task_id);
    if function.blocking() {
        let runtime = Handle::current();
        spawn_blocking(move || {
            runtime
                .block_on(function.implementation().call(call).instrument(span))
                .map(on_blocking_threads)
        })
    } else {
        tokio::spawn(async move { function.implementation().call(call).await }.instrument(span))
    }
}

/// Pulls each batch of a stream on a thread that may block.
fn on_blocking_threads(output: Output) -> Output {
    match output {
        Output::Table(table) => Output::Table(table),
        Output::Stream(stream) => Output::Stream(stream.map_batches(|batches| stream::unfold(Some(batches), pull))),
    }
}

type Batches = BoxStream<'static, <super::RecordBatchStream as futures::Stream>::Item>;

async fn pull(batches: Option<Batches>) -> Option<(Result<arrow::array::RecordBatch, FunctionError>, Option<Batches>)> {
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

/// The error of a call that panicked, or whose runtime is gone. What the panic said is in the log of the panic hook;
/// it is written for programmers and may show values, so clients do not get it.
pub(crate) fn panicked(error: &tokio::task::JoinError) -> FunctionError {
    if error.is_panic() {
        FunctionError::failed("the function panicked.")
    } else {
        FunctionError::cancelled()
    }
}
