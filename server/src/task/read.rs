//! Results as they are kept, and reading them.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, Stream, StreamExt as _};

use super::{FunctionError, RecordBatchStream, Shared, Table, Task, Tasks, lock};
use crate::ipc::{BatchEncoder, EncodedTable, Message, SchemaMessage};
use crate::memory::{Budget, Lease};

/// A result that clients can read.
pub struct Stored {
    rows: Rows,
    /// What the result takes from the budget, until its last reader is done.
    _lease: Option<Lease>,
}

enum Rows {
    /// Can be read any number of times.
    Table(EncodedTable),
    /// Can be read once; nothing is left after that.
    Stream {
        schema: SchemaMessage,
        source: Mutex<Option<Box<Source>>>,
    },
}

/// The messages of a result, as fast as the reader takes them: the schema first. After an error nothing follows.
pub struct Reading {
    messages: BoxStream<'static, Result<Message, FunctionError>>,
    _open: Open,
}

impl Stream for Reading {
    type Item = Result<Message, FunctionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(context)
    }
}

/// The result could be read once, and was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumed;

impl Stored {
    /// Encodes a table, and has it pay for the memory it holds.
    pub(super) fn table(table: Table, budget: &Budget) -> Result<Self, FunctionError> {
        let (schema, batches) = table.into_parts();
        let encoded = EncodedTable::encode(&schema, batches).map_err(|error| unsendable(&error))?;
        Ok(Self {
            _lease: Some(budget.lease_anyway(encoded.held())),
            rows: Rows::Table(encoded),
        })
    }

    /// Keeps a stream for its one reader.
    pub(super) fn stream(batches: RecordBatchStream) -> Result<Self, FunctionError> {
        let encoder = BatchEncoder::new(batches.schema().clone()).map_err(|error| unsendable(&error))?;
        let schema = encoder.schema().clone();
        let first = VecDeque::from([schema.message()]);
        let source = Mutex::new(Some(Box::new(Source {
            batches,
            encoder,
            ready: first,
        })));
        Ok(Self {
            rows: Rows::Stream { schema, source },
            _lease: None,
        })
    }

    /// The columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaMessage {
        match &self.rows {
            Rows::Table(table) => table.schema(),
            Rows::Stream { schema, .. } => schema,
        }
    }
}

impl Tasks {
    /// Begins to read the result of a task. The result stays until the reading is dropped, whatever happens to the task.
    ///
    /// # Errors
    /// When the result could be read once, and was.
    pub fn read(&self, task: &Task, stored: Arc<Stored>) -> Result<Reading, Consumed> {
        let task_id = task.id();
        let open = Open::new(Arc::clone(&self.shared));
        let messages = match &stored.rows {
            Rows::Table(table) => {
                tracing::info!(%task_id, num_rows = table.rows(), "do_get_table");
                stream::iter((0..).map_while(move |index| message(&stored, index))).boxed()
            }
            Rows::Stream { source, .. } => {
                let source = lock(source).take().ok_or(Consumed)?;
                tracing::info!(%task_id, "do_get_reader");
                stream::try_unfold(source, Source::next).boxed()
            }
        };
        task.collect();
        Ok(Reading { messages, _open: open })
    }
}

fn message(stored: &Stored, index: usize) -> Option<Result<Message, FunctionError>> {
    match &stored.rows {
        Rows::Table(table) => table.message(index).map(Ok),
        Rows::Stream { .. } => None,
    }
}

/// A stream that is being read.
struct Source {
    batches: RecordBatchStream,
    encoder: BatchEncoder,
    /// Messages to send before the next batch is asked for.
    ready: VecDeque<Message>,
}

impl Source {
    /// The next message, with what is left. A panic of the stream is its last error.
    async fn next(mut self: Box<Self>) -> Result<Option<(Message, Box<Self>)>, FunctionError> {
        let message = AssertUnwindSafe(self.pull()).catch_unwind().await;
        let message = message.unwrap_or_else(|_| Err(FunctionError::failed("the function panicked.")))?;
        Ok(message.map(|message| (message, self)))
    }

    async fn pull(&mut self) -> Result<Option<Message>, FunctionError> {
        if self.ready.is_empty()
            && let Some(batch) = self.batches.next().await
        {
            self.ready
                .extend(self.encoder.encode(&batch?).map_err(|error| unsendable(&error))?);
        }
        Ok(self.ready.pop_front())
    }
}

fn unsendable(error: &arrow::error::ArrowError) -> FunctionError {
    FunctionError::failed(format!("the result cannot be sent: {error}"))
}

/// Counts a reading for as long as it is open.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.gauges.streams.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.gauges.streams.fetch_sub(1, Ordering::AcqRel);
        self.0.gauges.eased.notify_waiters();
    }
}
