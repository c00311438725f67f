//! Streams whose batches are made by code that blocks: pulled on threads of their own, some at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::threads::Threads;
use super::{FunctionError, Output};

/// A thread that has a batch goes on for this long, since the way to it and back costs more than a small batch.
const SPELL: Duration = Duration::from_millis(1);

/// It holds no more than this at a time, so that a reader that is slow does not have much waiting for it.
const MOST_BATCHES: usize = 64;

/// As above, in bytes.
const MOST_BYTES: usize = 1 << 20;

type Batch = Result<RecordBatch, FunctionError>;
type Batches = BoxStream<'static, Batch>;

/// The output with its stream, if it is one, pulled on threads that may block.
pub(super) fn on_threads(output: Output, threads: Arc<Threads>) -> Output {
    match output {
        Output::Table(table) => Output::Table(table),
        Output::Stream(stream) => {
            Output::Stream(stream.map_batches(|batches| stream::unfold(Pulled::new(batches, threads), Pulled::next)))
        }
    }
}

/// A stream, and what was pulled from it and not asked for yet.
struct Pulled {
    ready: VecDeque<Batch>,
    source: Source,
    threads: Arc<Threads>,
}

/// The function's stream. It is never dropped on a thread that must not block.
struct Source {
    batches: Option<Batches>,
    threads: Arc<Threads>,
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(batches) = self.batches.take() {
            // When there is no thread to be had, the job is dropped here.
            let _ = self.threads.run(move || drop(batches));
        }
    }
}

impl Pulled {
    fn new(batches: Batches, threads: Arc<Threads>) -> Self {
        Self {
            ready: VecDeque::new(),
            source: Source {
                batches: Some(batches),
                threads: Arc::clone(&threads),
            },
            threads,
        }
    }

    async fn next(mut self) -> Option<(Batch, Self)> {
        if self.ready.is_empty()
            && let Some(batches) = self.source.batches.take()
        {
            let (ready, batches) = pull(&self.threads, batches).await;
            self.ready = ready;
            self.source.batches = batches;
        }
        let batch = self.ready.pop_front()?;
        Some((batch, self))
    }
}

/// Some batches, and the stream unless it is at its end. A reader that goes away meanwhile leaves the stream to the thread.
async fn pull(threads: &Threads, batches: Batches) -> (VecDeque<Batch>, Option<Batches>) {
    let (send, pulled) = oneshot::channel();
    let runtime = Handle::current();
    let started = threads.run(move || drop(send.send(spell(&runtime, batches))));
    match started {
        Err(error) => (VecDeque::from([Err(error.into())]), None),
        Ok(()) => pulled
            .await
            .unwrap_or_else(|_| (VecDeque::from([Err(FunctionError::panicked())]), None)),
    }
}

/// Waits for one batch, and takes along those that follow at once, for a while.
fn spell(runtime: &Handle, mut batches: Batches) -> (VecDeque<Batch>, Option<Batches>) {
    let _context = runtime.enter();
    let started = Instant::now();
    let (mut ready, mut bytes) = (VecDeque::new(), 0);
    let mut pulled = contained(|| Poll::Ready(runtime.block_on(batches.next())));
    while let Poll::Ready(Some(batch)) = pulled {
        bytes += batch.as_ref().map_or(0, RecordBatch::get_array_memory_size);
        let failed = batch.is_err();
        ready.push_back(batch);
        if failed {
            return (ready, None);
        }
        if ready.len() >= MOST_BATCHES || bytes >= MOST_BYTES || started.elapsed() >= SPELL {
            return (ready, Some(batches));
        }
        pulled = contained(|| batches.next().now_or_never().map_or(Poll::Pending, Poll::Ready));
    }
    let rest = pulled.is_pending().then_some(batches);
    (ready, rest)
}

/// The same, with a panic as the last batch, which is an error.
fn contained(pull: impl FnOnce() -> Poll<Option<Batch>>) -> Poll<Option<Batch>> {
    let pulled = catch_unwind(AssertUnwindSafe(pull));
    pulled.unwrap_or_else(|_| Poll::Ready(Some(Err(FunctionError::panicked()))))
}
