//! A stream that is being read: its batches are encoded as they come.

use std::collections::VecDeque;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::{FunctionError, RecordBatchStream};
use crate::ipc::{BatchEncoder, Message, SchemaMessage};
use crate::memory::{Budget, Lease};

/// The messages of a stream, the schema first.
pub(super) struct Source {
    batches: RecordBatchStream,
    encoder: BatchEncoder,
    /// Messages to send before the next batch is asked for.
    ready: VecDeque<Message>,
    quiet: Option<Quiet>,
    budget: Budget,
    /// What the batch that was pulled last takes from the budget.
    on_its_way: Option<Lease>,
}

/// How long there may be silence, and when it has lasted so long.
struct Quiet {
    silence: Duration,
    over: Pin<Box<Sleep>>,
}

impl Source {
    pub(super) fn new(batches: RecordBatchStream, budget: Budget) -> Result<Self, FunctionError> {
        let encoder = BatchEncoder::new(batches.schema().clone()).map_err(|error| FunctionError::unsendable(&error))?;
        Ok(Self {
            ready: VecDeque::from([encoder.schema().message()]),
            batches,
            encoder,
            quiet: None,
            budget,
            on_its_way: None,
        })
    }

    pub(super) const fn schema(&self) -> &SchemaMessage {
        self.encoder.schema()
    }

    pub(super) fn keep_alive(&mut self, silence: Duration) {
        let over = Box::pin(sleep(silence));
        self.quiet = Some(Quiet { silence, over });
    }

    /// The next message. A panic of the stream is its last error.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, FunctionError>>> {
        while self.ready.is_empty() {
            let pulled = catch_unwind(AssertUnwindSafe(|| self.pull(context)));
            let pulled = pulled.unwrap_or_else(|_| Poll::Ready(Some(Err(FunctionError::panicked()))));
            match ready!(pulled) {
                Some(Ok(messages)) => self.put(messages),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        if let Some(quiet) = &mut self.quiet {
            quiet.over.as_mut().reset(Instant::now() + quiet.silence);
        }
        Poll::Ready(self.ready.pop_front().map(Ok))
    }

    /// The messages of the next batch, or of one without rows when there was silence for too long.
    fn pull(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<Message>, FunctionError>>> {
        let batch = match self.batches.poll_next_unpin(context) {
            Poll::Ready(Some(batch)) => batch,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => match &mut self.quiet {
                None => return Poll::Pending,
                Some(quiet) => {
                    ready!(quiet.over.as_mut().poll(context));
                    Ok(RecordBatch::new_empty(self.batches.schema().clone()))
                }
            },
        };
        let encoded = batch.and_then(|batch| {
            self.encoder
                .encode(&batch)
                .map_err(|error| FunctionError::unsendable(&error))
        });
        Poll::Ready(Some(encoded.map(Iterator::collect)))
    }

    /// Accounts for a batch that exists already. What the connection still holds of the one before is bounded by its
    /// send buffer.
    fn put(&mut self, messages: Vec<Message>) {
        let bytes = messages.iter().map(Message::len).sum();
        self.on_its_way = Some(self.budget.lease_anyway(bytes));
        self.ready.extend(messages);
    }
}
