//! What work, such as the call of a function, returns.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};

use super::{Encoded, FunctionError};

/// The result of a call: rows in hand, or rows to come.
#[derive(Debug)]
pub enum Output {
    /// Kept by the server, and readable as often as a client likes until it expires.
    Table(Table),
    /// Pulled by the first client that reads it, and by that one only.
    Stream(RecordBatchStream),
    /// Either, as Arrow IPC already: it is sent as it is.
    Encoded(Encoded),
}

impl Output {
    /// A table of these columns. Batches without rows are left out.
    #[must_use]
    pub const fn table(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self::Table(Table { schema, batches })
    }

    /// A stream of these columns. Batches are asked for only as fast as the client reads.
    pub fn stream<S>(schema: SchemaRef, batches: S) -> Self
    where
        S: Stream<Item = Result<RecordBatch, FunctionError>> + Send + 'static,
    {
        Self::Stream(RecordBatchStream::new(schema, batches))
    }

    /// The columns of the result, with the schema metadata that travels with it.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        match self {
            Self::Table(table) => &table.schema,
            Self::Stream(stream) => &stream.schema,
            Self::Encoded(encoded) => encoded.schema(),
        }
    }

    /// The rows, whichever kind of result it is.
    #[must_use]
    pub fn into_batches(self) -> RecordBatchStream {
        match self {
            Self::Stream(stream) => stream,
            Self::Encoded(encoded) => encoded.into_batches(),
            Self::Table(Table { schema, batches }) => RecordBatchStream {
                schema,
                batches: futures::stream::iter(batches.into_iter().map(Ok)).boxed(),
            },
        }
    }
}

impl From<RecordBatch> for Output {
    fn from(batch: RecordBatch) -> Self {
        Self::table(batch.schema(), vec![batch])
    }
}

/// Rows in hand.
#[derive(Clone, Debug)]
pub struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Table {
    /// The columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns and the rows.
    pub(super) fn into_parts(self) -> (SchemaRef, Vec<RecordBatch>) {
        (self.schema, self.batches)
    }

    /// The rows; each batch becomes one message.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }
}

/// Rows to come.
pub struct RecordBatchStream {
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, FunctionError>>,
}

impl RecordBatchStream {
    pub(super) fn new<S>(schema: SchemaRef, batches: S) -> Self
    where
        S: Stream<Item = Result<RecordBatch, FunctionError>> + Send + 'static,
    {
        let batches = batches.boxed();
        Self { schema, batches }
    }

    /// The columns.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The same columns, with the rows passed through `wrap`.
    pub(super) fn map_batches<S>(
        self,
        wrap: impl FnOnce(BoxStream<'static, Result<RecordBatch, FunctionError>>) -> S,
    ) -> Self
    where
        S: Stream<Item = Result<RecordBatch, FunctionError>> + Send + 'static,
    {
        Self {
            schema: self.schema,
            batches: wrap(self.batches).boxed(),
        }
    }
}

impl Stream for RecordBatchStream {
    type Item = Result<RecordBatch, FunctionError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for RecordBatchStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordBatchStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}
