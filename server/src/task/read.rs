//! Results as they are kept, and reading them.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;

use super::encoded::EncodedStream;
use super::source::Source;
use super::spilled::{Records, SpilledTable};
use super::{FunctionError, RecordBatchStream, Shared, Task, Tasks, lock};
use crate::error::{ErrorCode, ErrorInfo, FlightKind};
use crate::ipc::{EncodedTable, Message, SchemaMessage};
use crate::memory::{Budget, Lease};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Place, ResultMeter};

/// A result that clients can read.
pub struct Stored {
    rows: Rows,
    /// Counts it while it is kept.
    _meter: Option<ResultMeter>,
}

enum Rows {
    /// Can be read any number of times.
    Table {
        table: EncodedTable,
        /// What it takes from the budget, until its last reader is done.
        _lease: Lease,
    },
    /// Likewise, from disk.
    Spilled(SpilledTable),
    /// Can be read once; nothing is left after that.
    Stream {
        schema: SchemaMessage,
        source: Mutex<Option<Box<Source>>>,
    },
}

/// How much a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Rows in all batches.
    pub rows: usize,
    /// Bytes in all messages, as they are sent, framing aside.
    pub bytes: usize,
}

/// The result could be read once, and was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consumed;

impl Stored {
    /// Keeps a table in memory, or its headers if the rest is on disk.
    pub(super) fn table(table: EncodedTable, lease: Lease, metrics: &Metrics) -> Self {
        let meter = match table.on_disk() {
            0 => metrics.result_kept(Place::Memory, lease.bytes()),
            bytes => {
                metrics.result_spilled(bytes);
                metrics.result_kept(Place::Disk, bytes)
            }
        };
        Self {
            _meter: Some(meter),
            rows: Rows::Table { table, _lease: lease },
        }
    }

    /// Keeps a table on disk.
    pub(super) fn spilled(table: SpilledTable, metrics: &Metrics) -> Self {
        metrics.result_spilled(table.len());
        Self {
            _meter: Some(metrics.result_kept(Place::Disk, table.len())),
            rows: Rows::Spilled(table),
        }
    }

    /// Keeps a stream for its one reader. While it is read, its batches take from the budget.
    pub(super) fn stream(batches: RecordBatchStream, budget: Budget) -> Result<Self, FunctionError> {
        Ok(Self::source(Source::new(batches, budget)?))
    }

    /// Likewise, a stream that comes encoded.
    pub(super) fn encoded_stream(stream: EncodedStream, budget: Budget) -> Self {
        Self::source(Source::encoded(stream, budget))
    }

    fn source(source: Source) -> Self {
        let rows = Rows::Stream {
            schema: source.schema().clone(),
            source: Mutex::new(Some(Box::new(source))),
        };
        Self { rows, _meter: None }
    }

    /// The columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaMessage {
        match &self.rows {
            Rows::Table { table, .. } => table.schema(),
            Rows::Spilled(table) => table.schema(),
            Rows::Stream { schema, .. } => schema,
        }
    }

    /// How much it is; `None` for a stream, of which nobody knows before it is read.
    #[must_use]
    pub fn totals(&self) -> Option<Totals> {
        let (rows, bytes) = match &self.rows {
            Rows::Table { table, .. } => (table.rows(), table.len()),
            Rows::Spilled(table) => (table.rows(), table.len()),
            Rows::Stream { .. } => return None,
        };
        Some(Totals { rows, bytes })
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
            Rows::Table { table, .. } => {
                tracing::info!(%task_id, num_rows = table.rows(), "do_get_table");
                Messages::Table { stored, next: 0 }
            }
            Rows::Spilled(table) => {
                tracing::info!(%task_id, num_rows = table.rows(), "do_get_table");
                Messages::Spilled(table.read(self.shared.room.memory()))
            }
            Rows::Stream { source, .. } => {
                let source = lock(source).take().ok_or(Consumed)?;
                tracing::info!(%task_id, "do_get_reader");
                Messages::Stream(source)
            }
        };
        task.collect();
        Ok(Reading { messages, _open: open })
    }
}

/// The messages of a result, as fast as the reader takes them: the schema first. After an error nothing follows.
pub struct Reading {
    messages: Messages,
    _open: Open,
}

enum Messages {
    Table { stored: Arc<Stored>, next: usize },
    Spilled(Records),
    Stream(Box<Source>),
    Ended,
}

impl Reading {
    /// Has a stream that is silent for so long send a batch without rows, and again after so long, so that nobody on the
    /// way takes the connection for dead. A table is never silent.
    #[must_use]
    pub fn keep_alive(mut self, silence: Duration) -> Self {
        if let Messages::Stream(source) = &mut self.messages {
            source.keep_alive(silence);
        }
        self
    }
}

impl Stream for Reading {
    type Item = Result<Message, FunctionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = match &mut self.messages {
            Messages::Table { stored, next } => {
                let message = stored.message(*next);
                *next += 1;
                return Poll::Ready(message.map(Ok));
            }
            Messages::Spilled(records) => records.poll_next(context).map_err(|error| unreadable(&error)),
            Messages::Stream(source) => source.poll_next(context),
            Messages::Ended => Poll::Ready(None),
        };
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.messages = Messages::Ended;
        }
        polled
    }
}

impl Stored {
    /// A message of a table in memory.
    fn message(&self, index: usize) -> Option<Message> {
        match &self.rows {
            Rows::Table { table, .. } => table.message(index),
            Rows::Spilled(_) | Rows::Stream { .. } => None,
        }
    }
}

/// What the system says is for the log.
fn unreadable(error: &std::io::Error) -> FunctionError {
    tracing::error!(%error, "spilled_result_unreadable");
    FunctionError::flight(
        FlightKind::Internal,
        ErrorInfo::new(ErrorCode::INTERNAL_ERROR, "The result cannot be read back from disk."),
    )
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
