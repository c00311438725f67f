//! Streams whose batches are made by code that blocks: pulled on threads of their own, some at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

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

/// A stream as its reader sees it.
enum Pulled {
    /// No thread pulls.
    Resting(Source),
    /// A thread pulls, and hands over what it gets.
    Pulling(mpsc::UnboundedReceiver<Handed>),
    Ended,
}

/// What a thread hands over.
enum Handed {
    Batch(Batch),
    /// The thread stops here, and there may be more.
    Rest(Source),
    End,
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
    const fn new(batches: Batches, threads: Arc<Threads>) -> Self {
        Self::Resting(Source {
            batches: Some(batches),
            threads,
        })
    }

    async fn next(mut self) -> Option<(Batch, Self)> {
        loop {
            self = match self {
                Self::Resting(source) => match source.pull() {
                    Ok(handed) => Self::Pulling(handed),
                    Err(error) => return Some((Err(error), Self::Ended)),
                },
                Self::Pulling(mut handed) => match handed.recv().await {
                    Some(Handed::Batch(batch)) => return Some((batch, Self::Pulling(handed))),
                    Some(Handed::Rest(source)) => Self::Resting(source),
                    Some(Handed::End) => Self::Ended,
                    None => return Some((Err(FunctionError::panicked()), Self::Ended)),
                },
                Self::Ended => return None,
            };
        }
    }
}

impl Source {
    /// Has a thread pull some batches. A reader that goes away meanwhile leaves the stream to the thread.
    fn pull(self) -> Result<mpsc::UnboundedReceiver<Handed>, FunctionError> {
        let (hand, handed) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        let threads = Arc::clone(&self.threads);
        threads.run(move || self.spell(&runtime, &hand))?;
        Ok(handed)
    }

    /// Waits for one batch, and takes along those that follow at once, for a while. Each is handed over before the next is
    /// asked for, which may take as long as it likes.
    fn spell(mut self, runtime: &Handle, hand: &mpsc::UnboundedSender<Handed>) {
        let Some(mut batches) = self.batches.take() else { return };
        let _context = runtime.enter();
        let started = Instant::now();
        let (mut count, mut bytes) = (0, 0);
        let mut pulled = contained(|| Poll::Ready(runtime.block_on(batches.next())));
        let rests = loop {
            let batch = match pulled {
                Poll::Ready(Some(batch)) => batch,
                Poll::Ready(None) => break false,
                Poll::Pending => break true,
            };
            count += 1;
            bytes += batch.as_ref().map_or(0, RecordBatch::get_array_memory_size);
            let failed = batch.is_err();
            if hand.send(Handed::Batch(batch)).is_err() || failed {
                break false;
            }
            if count >= MOST_BATCHES || bytes >= MOST_BYTES || started.elapsed() >= SPELL {
                break true;
            }
            pulled = contained(|| batches.next().now_or_never().map_or(Poll::Pending, Poll::Ready));
        };
        let last = if rests {
            self.batches = Some(batches);
            Handed::Rest(self)
        } else {
            Handed::End
        };
        // Nobody is there to take it when the reader is gone; then it is dropped.
        let _ = hand.send(last);
    }
}

/// The same, with a panic as the last batch, which is an error.
fn contained(pull: impl FnOnce() -> Poll<Option<Batch>>) -> Poll<Option<Batch>> {
    let pulled = catch_unwind(AssertUnwindSafe(pull));
    pulled.unwrap_or_else(|_| Poll::Ready(Some(Err(FunctionError::panicked()))))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use tokio::time::timeout;

    use super::*;
    use crate::function::testing::{numbers, numbers_schema};
    use crate::task::threads::Priority;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_batch_does_not_wait_for_the_next() {
        let (release, held) = channel();
        let batches = stream::iter([1, 2]).map(move |number| {
            if number == 2 {
                held.recv().map_err(|_| FunctionError::failed("nobody released it"))?;
            }
            Ok(numbers(&[number]))
        });
        let threads = Arc::new(Threads::new("test", Priority::Normal, 1, 1));
        let mut pulled = on_threads(Output::stream(numbers_schema(), batches), threads).into_batches();
        let first = timeout(Duration::from_secs(10), pulled.next()).await;
        assert_eq!(first.expect("the first is there").unwrap().unwrap(), numbers(&[1]));
        release.send(()).unwrap();
        assert_eq!(pulled.next().await.unwrap().unwrap(), numbers(&[2]));
        assert!(pulled.next().await.is_none());
    }
}
