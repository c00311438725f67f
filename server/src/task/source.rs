//! A stream that is being read: its batches are encoded as they come, unless they come encoded.

use std::collections::VecDeque;
use std::future::Future as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::StreamExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::encoded::EncodedStream;
use super::{FunctionError, RecordBatchStream};
use crate::ipc::{BatchEncoder, Message, SchemaMessage};
use crate::memory::{Budget, Lease};

/// The messages of a stream, the schema first.
pub(super) struct Source {
    schema: SchemaMessage,
    feed: Feed,
    /// Messages to send before the next batch is asked for.
    ready: VecDeque<Message>,
    quiet: Option<Quiet>,
    budget: Budget,
    /// What the batch that was pulled last takes from the budget.
    on_its_way: Option<Lease>,
}

/// Where batches come from.
enum Feed {
    Rows {
        batches: RecordBatchStream,
        encoder: Box<BatchEncoder>,
    },
    Encoded(EncodedStream),
}

/// How long there may be silence, and when it has lasted so long.
struct Quiet {
    silence: Duration,
    over: Pin<Box<Sleep>>,
}

impl Source {
    pub(super) fn new(batches: RecordBatchStream, budget: Budget) -> Result<Self, FunctionError> {
        let encoder = BatchEncoder::new(batches.schema().clone()).map_err(|error| FunctionError::unsendable(&error))?;
        let schema = encoder.schema().clone();
        Ok(Self::feeding(
            schema,
            Vec::new(),
            Feed::Rows {
                batches,
                encoder: Box::new(encoder),
            },
            budget,
        ))
    }

    pub(super) fn encoded(mut stream: EncodedStream, budget: Budget) -> Self {
        let first = std::mem::take(&mut stream.first);
        Self::feeding(stream.schema.clone(), first, Feed::Encoded(stream), budget)
    }

    fn feeding(schema: SchemaMessage, first: Vec<Message>, feed: Feed, budget: Budget) -> Self {
        let mut source = Self {
            ready: VecDeque::from([schema.message()]),
            schema,
            feed,
            quiet: None,
            budget,
            on_its_way: None,
        };
        source.put(first);
        source
    }

    pub(super) const fn schema(&self) -> &SchemaMessage {
        &self.schema
    }

    pub(super) fn keep_alive(&mut self, silence: Duration) {
        if self.feed.is_never_silent() {
            return;
        }
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
        match self.feed.poll_next(context) {
            Poll::Ready(messages) => Poll::Ready(messages),
            Poll::Pending => match &mut self.quiet {
                None => Poll::Pending,
                Some(quiet) => {
                    ready!(quiet.over.as_mut().poll(context));
                    Poll::Ready(Some(self.feed.no_rows()))
                }
            },
        }
    }

    /// Accounts for a batch that exists already. What the connection still holds of the one before is bounded by its
    /// send buffer.
    fn put(&mut self, messages: Vec<Message>) {
        let bytes = messages.iter().map(Message::len).sum();
        self.on_its_way = Some(self.budget.lease_anyway(bytes));
        self.ready.extend(messages);
    }
}

impl Feed {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<Message>, FunctionError>>> {
        match self {
            Self::Rows { batches, encoder } => {
                let batch = ready!(batches.poll_next_unpin(context));
                Poll::Ready(batch.map(|batch| encode(encoder, &batch?)))
            }
            Self::Encoded(stream) => stream.batches.poll_next_unpin(context),
        }
    }

    /// Whether nobody can make up a batch of it: one without rows would need dictionaries, which would take the place of
    /// those that were sent.
    const fn is_never_silent(&self) -> bool {
        match self {
            Self::Rows { .. } => false,
            Self::Encoded(stream) => stream.schema.has_dictionaries(),
        }
    }

    /// A batch without rows.
    fn no_rows(&mut self) -> Result<Vec<Message>, FunctionError> {
        match self {
            Self::Rows { batches, encoder } => encode(encoder, &RecordBatch::new_empty(batches.schema().clone())),
            Self::Encoded(stream) => {
                let unsendable = |error| FunctionError::unsendable(&error);
                let schema = stream.schema.columns().map_err(unsendable)?;
                let mut encoder = BatchEncoder::new(schema.clone()).map_err(unsendable)?;
                encode(&mut encoder, &RecordBatch::new_empty(schema))
            }
        }
    }
}

fn encode(encoder: &mut BatchEncoder, batch: &RecordBatch) -> Result<Vec<Message>, FunctionError> {
    let messages = encoder.encode(batch);
    messages
        .map(Iterator::collect)
        .map_err(|error| FunctionError::unsendable(&error))
}
