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

use super::leaks::{Errand, Leaks};
use super::workshop::Workshop;
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
pub(super) fn on_threads(output: Output, workshop: Workshop, runtime: Handle) -> Output {
    match output {
        // What comes encoded is made elsewhere.
        output @ (Output::Table(_) | Output::Encoded(_)) => output,
        Output::Stream(stream) => Output::Stream(stream.map_batches(|batches| {
            let source = Source {
                batches: Some(batches),
                workshop,
                runtime,
            };
            stream::unfold(Pulled::Resting(source), Pulled::next)
        })),
    }
}

/// A stream as its reader sees it.
enum Pulled {
    /// No thread pulls.
    Resting(Source),
    /// A thread pulls, and hands over what it gets.
    Pulling(Pulling),
    Ended,
}

/// A thread that pulls, as the reader sees it. A reader that goes away leaves the stream to it.
struct Pulling {
    handed: mpsc::UnboundedReceiver<Handed>,
    errand: Errand,
    leaks: Arc<Leaks>,
}

impl Drop for Pulling {
    fn drop(&mut self) {
        self.errand.give_up(&self.leaks);
    }
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
    workshop: Workshop,
    runtime: Handle,
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(batches) = self.batches.take() {
            // Not on the threads that pull: it must not wait for streams that hang.
            drop(self.runtime.spawn_blocking(move || drop(batches)));
        }
    }
}

impl Pulled {
    async fn next(mut self) -> Option<(Batch, Self)> {
        loop {
            self = match self {
                Self::Resting(source) => match source.pull() {
                    Ok(pulling) => Self::Pulling(pulling),
                    Err(error) => return Some((Err(error), Self::Ended)),
                },
                Self::Pulling(mut pulling) => match pulling.handed.recv().await {
                    Some(Handed::Batch(batch)) => return Some((batch, Self::Pulling(pulling))),
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
    /// Has a thread pull some batches.
    fn pull(self) -> Result<Pulling, FunctionError> {
        let (hand, handed) = mpsc::unbounded_channel();
        let Workshop {
            batches: threads,
            leaks,
            ..
        } = self.workshop.clone();
        let errand = Errand::default();
        let own = errand.clone();
        threads.run(move || self.spell(&hand, &own))?;
        Ok(Pulling { handed, errand, leaks })
    }

    /// Waits for one batch, and takes along those that follow at once, for a while. Each is handed over before the next is
    /// asked for, which may take as long as it likes.
    fn spell(mut self, hand: &mpsc::UnboundedSender<Handed>, errand: &Errand) {
        let Some(mut batches) = self.batches.take() else { return };
        let runtime = self.runtime.clone();
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
        errand.done();
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
    use std::sync::mpsc::{Receiver, channel};

    use tokio::time::timeout;

    use super::*;
    use crate::function::fixtures::{numbers, numbers_schema};
    use crate::task::RecordBatchStream;
    use crate::telemetry::Metrics;

    /// For one stream at a time, and one thread that may be leaked.
    fn workshop() -> Workshop {
        Workshop::new(1, Leaks::new(1, Metrics::new()))
    }

    fn pulled(batches: impl stream::Stream<Item = Batch> + Send + 'static, workshop: &Workshop) -> RecordBatchStream {
        let output = Output::stream(numbers_schema(), batches);
        on_threads(output, workshop.clone(), Handle::current()).into_batches()
    }

    /// Gives a batch each time it is told to.
    fn told(tell: Receiver<()>) -> impl stream::Stream<Item = Batch> + Send + 'static {
        stream::poll_fn(move |_| Poll::Ready(tell.recv().ok().map(|()| Ok(numbers(&[1])))))
    }

    async fn until(mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !condition() {
            assert!(Instant::now() < deadline, "it did not happen");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn streams_that_hang_do_not_keep_others_from_being_read_and_dropped() {
        let workshop = workshop();
        let (tell, hangs) = channel();
        let mut hanging = pulled(told(hangs), &workshop);
        assert!(futures::poll!(hanging.next()).is_pending());
        until(|| workshop.batches.busy() == 1).await;
        assert_eq!(workshop.leaks.count(), 0, "somebody waits for it");
        drop(hanging);
        assert_eq!(workshop.leaks.count(), 1);

        let (tell_another, hangs) = channel();
        let mut another = pulled(told(hangs), &workshop);
        assert!(futures::poll!(another.next()).is_pending());
        until(|| workshop.batches.busy() == 2).await;
        drop(another);
        assert_eq!(workshop.leaks.count(), 1, "no more than that are leaked");

        let guard = Arc::new(());
        let seen = Arc::downgrade(&guard);
        let unread = stream::poll_fn(move |_| {
            let _ = &guard;
            Poll::Ready(None)
        });
        drop(pulled(unread, &workshop));
        until(|| seen.strong_count() == 0).await;
        assert_eq!(workshop.batches.busy(), 2, "both still hang");

        drop((tell, tell_another));
        until(|| workshop.leaks.count() == 0 && workshop.batches.busy() == 0).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_batch_does_not_wait_for_the_next() {
        let (release, held) = channel();
        let batches = stream::iter([1, 2]).map(move |number| {
            if number == 2 {
                held.recv().map_err(|_| FunctionError::failed("nobody released it"))?;
            }
            Ok(numbers(&[number]))
        });
        let mut pulled = pulled(batches, &workshop());
        let first = timeout(Duration::from_secs(10), pulled.next()).await;
        assert_eq!(first.expect("the first is there").unwrap().unwrap(), numbers(&[1]));
        release.send(()).unwrap();
        assert_eq!(pulled.next().await.unwrap().unwrap(), numbers(&[2]));
        assert!(pulled.next().await.is_none());
    }
}
