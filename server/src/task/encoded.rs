//! Results that come encoded, such as those of functions in Python: their messages are sent as they are.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use tokio::task::spawn_blocking;

use super::{FunctionError, RecordBatchStream};
use crate::ipc::{Additions, Decoder, EncodedTable, Message, SchemaMessage};
use crate::memory::{Region, Room};

/// Of the memory for results, the headers of one table on disk may take one part in so many.
const HEADERS: usize = 64;

/// Rows in hand or to come, as Arrow IPC.
pub struct Encoded {
    schema: SchemaMessage,
    /// Decoded when somebody asks.
    columns: OnceLock<SchemaRef>,
    rows: Rows,
}

pub(super) enum Rows {
    Table(EncodedTable),
    Stream(EncodedStream),
}

/// Messages to come: those that belong together at a time, dictionaries first.
pub(super) struct EncodedStream {
    pub(super) schema: SchemaMessage,
    /// Dictionaries that came with the schema.
    pub(super) first: Vec<Message>,
    pub(super) batches: BoxStream<'static, Result<Vec<Message>, FunctionError>>,
}

impl Encoded {
    /// A table, which lies in these bytes as an IPC stream.
    ///
    /// # Errors
    /// When they are no such stream.
    pub(crate) fn table(stream: Bytes) -> Result<Self, FunctionError> {
        let table = EncodedTable::cut(stream).map_err(|error| FunctionError::unsendable(&error))?;
        Ok(Self::new(table.schema().clone(), Rows::Table(table)))
    }

    /// A table, which lies in this file as an IPC stream.
    ///
    /// # Errors
    /// When it is no such stream.
    pub(crate) async fn file(stream: Region, room: &Room) -> Result<Self, FunctionError> {
        // Headers are small; a table of nothing else would be no smaller on disk.
        let most = room.memory().limit() / HEADERS;
        let cut = spawn_blocking(move || {
            if stream.is_all_there()? {
                EncodedTable::cut_file(stream, most)
            } else {
                Err(ArrowError::IpcError("the file is not as long as was said".to_owned()))
            }
        });
        let table = cut.await.map_err(|_| FunctionError::cancelled())?;
        let table = table.map_err(|error| FunctionError::unsendable(&error))?;
        Ok(Self::new(table.schema().clone(), Rows::Table(table)))
    }

    /// A stream that begins with these bytes: its schema, and dictionaries if any.
    ///
    /// # Errors
    /// When they are no such thing.
    pub(crate) fn stream<S>(begin: Bytes, batches: S) -> Result<Self, FunctionError>
    where
        S: Stream<Item = Result<Vec<Message>, FunctionError>> + Send + 'static,
    {
        let opened = crate::ipc::stream::open(begin);
        let (schema, first) = opened.map_err(|error| FunctionError::unsendable(&error))?;
        let stream = EncodedStream {
            schema: schema.clone(),
            first,
            batches: batches.boxed(),
        };
        Ok(Self::new(schema, Rows::Stream(stream)))
    }

    const fn new(schema: SchemaMessage, rows: Rows) -> Self {
        Self {
            schema,
            columns: OnceLock::new(),
            rows,
        }
    }

    pub(super) fn into_rows(self) -> Rows {
        self.rows
    }

    /// The columns; none where they have a type that this version does not know, though clients may.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        let none = |_| Arc::new(Schema::empty());
        self.columns.get_or_init(|| self.schema.columns().unwrap_or_else(none))
    }

    /// The rows.
    pub(super) fn into_batches(self) -> RecordBatchStream {
        let schema = Arc::clone(self.schema());
        let columns = self.schema.columns();
        let messages = match self.rows {
            Rows::Table(table) => stream::iter(table.batches().to_vec()).map(Ok).boxed(),
            Rows::Stream(stream) => {
                let batches = stream.batches.map_ok(|messages| stream::iter(messages).map(Ok));
                stream::iter(stream.first).map(Ok).chain(batches.try_flatten()).boxed()
            }
        };
        let messages = messages.and_then(in_memory).boxed();
        let batches = match columns {
            Ok(columns) => decode(Decoder::after(columns, Additions::Read), messages).boxed(),
            Err(error) => stream::iter([Err(unreadable(&error))]).boxed(),
        };
        RecordBatchStream::new(schema, batches)
    }
}

/// A message with its body in memory.
async fn in_memory(mut message: Message) -> Result<Message, FunctionError> {
    if message.body.region().is_some() {
        let read = std::mem::take(&mut message.body).into_contiguous().await;
        message.body = read
            .map_err(|_| FunctionError::failed("the result cannot be read from disk."))?
            .into();
    }
    Ok(message)
}

/// Decodes messages as they come, until one cannot be read.
fn decode(
    decoder: Decoder,
    messages: BoxStream<'static, Result<Message, FunctionError>>,
) -> impl Stream<Item = Result<arrow::array::RecordBatch, FunctionError>> + Send + 'static {
    stream::try_unfold((decoder, messages), async |(mut decoder, mut messages)| {
        while let Some(message) = messages.try_next().await? {
            let rows = decoder.decode(&message.header, &message.body);
            if let Some(batch) = rows.map_err(|error| unreadable(&error))? {
                return Ok(Some((batch, (decoder, messages))));
            }
        }
        Ok::<_, FunctionError>(None)
    })
}

fn unreadable(error: &arrow::error::ArrowError) -> FunctionError {
    FunctionError::failed(format!("the result cannot be read: {error}"))
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = match &self.rows {
            Rows::Table(table) => Some(table.rows()),
            Rows::Stream(_) => None,
        };
        f.debug_struct("Encoded").field("rows", &rows).finish_non_exhaustive()
    }
}
