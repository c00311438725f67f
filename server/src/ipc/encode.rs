//! Record batches as IPC messages, without a copy of large buffers.
//!
//! arrow-flight's own encoder is not used: it unpacks dictionaries, which contradicts the schema already announced, drops
//! batches without rows, cuts slices of large arrays too small, and copies every buffer.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::writer::StreamEncoder;
use bytes::Bytes;

use super::copy::{copy, is_small};
use super::cut::{Encoded, cut};
use super::pack::{MESSAGE_OVERHEAD, keep, pack};
use super::{Message, SchemaMessage, stream};
use crate::memory::Region;

/// What clients can be expected to read in one message; the original and its clients draw the line here too.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// A table as messages, ready to be sent any number of times.
#[derive(Debug)]
pub struct EncodedTable {
    schema: SchemaMessage,
    /// Dictionaries and batches, in the order they are sent.
    messages: Vec<Message>,
    rows: usize,
    held: usize,
    /// Bytes of bodies that are not in memory.
    on_disk: usize,
}

impl EncodedTable {
    /// Encodes a table: one message for each batch that has rows, with the dictionaries before those that need them.
    /// Memory that the batches do not fill is given back where they are its only users.
    ///
    /// # Errors
    /// When a batch does not have the columns of the schema, or has a type that IPC cannot carry.
    pub fn encode(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Self, ArrowError> {
        let mut encoder = BatchEncoder::new(schema.clone())?;
        let mut parts = Vec::with_capacity(batches.len());
        let mut rows = 0;
        for batch in batches {
            if batch.num_rows() > 0 {
                rows += batch.num_rows();
                encoder.encode_into(&batch, &mut parts)?;
            }
        }
        let schema = encoder.into_schema();
        let (messages, held) = keep(parts);
        Ok(Self {
            held: held + schema.encapsulated().len(),
            schema,
            messages,
            rows,
            on_disk: 0,
        })
    }

    /// Cuts a table out of a stream that somebody else encoded. Its bytes are shared, and all of them are held; batches
    /// without rows are left out.
    ///
    /// # Errors
    /// When it is not made of whole messages, the schema first.
    pub(crate) fn cut(mut stream: Bytes) -> Result<Self, ArrowError> {
        let held = stream.len();
        let schema = stream::take_schema(&mut stream)?;
        let mut messages = stream::rest(stream)?;
        // Dictionaries have none either, and are needed.
        messages.retain(|message| message.rows > 0 || !message.is_batch());
        Ok(Self {
            rows: messages.iter().map(|message| message.rows).sum(),
            held: held + MESSAGE_OVERHEAD * messages.len(),
            schema,
            messages,
            on_disk: 0,
        })
    }

    /// Cuts a table out of a stream in a file, as [`EncodedTable::cut`] does. What is held are the headers, which may take
    /// `most` bytes. Blocks.
    ///
    /// # Errors
    /// When it is not made of whole messages, the schema first; when it has too many; when the file cannot be read.
    pub(crate) fn cut_file(stream: Region, most: usize) -> Result<Self, ArrowError> {
        let (schema, messages, held) = stream::in_file(stream, MESSAGE_OVERHEAD, most)?;
        Ok(Self {
            rows: messages.iter().map(|message| message.rows).sum(),
            on_disk: messages.iter().map(|message| message.body.len()).sum(),
            held: held + schema.encapsulated().len(),
            schema,
            messages,
        })
    }

    /// Bytes that lie in a file.
    pub(crate) const fn on_disk(&self) -> usize {
        self.on_disk
    }

    /// The columns, as the first message of a stream and as `FlightInfo` show them.
    #[must_use]
    pub const fn schema(&self) -> &SchemaMessage {
        &self.schema
    }

    /// Rows in all batches.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory held.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Bytes in all messages, as they are sent, framing aside.
    #[must_use]
    pub fn len(&self) -> usize {
        self.schema.message().len() + self.messages.iter().map(Message::len).sum::<usize>()
    }

    /// Whether there are no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The messages that follow the schema.
    pub(crate) fn batches(&self) -> &[Message] {
        &self.messages
    }

    /// The messages of a stream: the schema is number 0.
    #[must_use]
    pub fn message(&self, index: usize) -> Option<Message> {
        match index.checked_sub(1) {
            None => Some(self.schema.message()),
            Some(index) => self.messages.get(index).cloned(),
        }
    }
}

/// Encodes the batches of one stream, one after the other.
pub(crate) struct BatchEncoder {
    schema: SchemaRef,
    schema_message: SchemaMessage,
    /// For batches that are not copied, since the first of them.
    sharer: Option<StreamEncoder>,
}

impl BatchEncoder {
    /// # Errors
    /// When the schema has a type that IPC cannot carry.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        Ok(Self {
            schema_message: SchemaMessage::recall(&schema)?,
            sharer: None,
            schema,
        })
    }

    pub(crate) const fn schema(&self) -> &SchemaMessage {
        &self.schema_message
    }

    fn into_schema(self) -> SchemaMessage {
        self.schema_message
    }

    /// The messages of a batch: dictionaries that are new or changed, then the batch, also when it has no rows.
    ///
    /// # Errors
    /// When the batch does not have the columns of the schema.
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<impl Iterator<Item = Message> + use<>, ArrowError> {
        let mut encoded = Vec::with_capacity(1);
        self.encode_into(batch, &mut encoded)?;
        Ok(encoded.into_iter().map(pack))
    }

    fn encode_into(&mut self, batch: &RecordBatch, encoded: &mut Vec<Encoded>) -> Result<(), ArrowError> {
        let batch = conform(batch, &self.schema)?;
        self.encode_conforming(&batch, encoded)
    }

    /// Encodes the batch, in halves if it is too large for a message.
    fn encode_conforming(&mut self, batch: &RecordBatch, encoded: &mut Vec<Encoded>) -> Result<(), ArrowError> {
        // Only one encoder can keep track of dictionaries.
        if is_small(batch) && !self.schema_message.has_dictionaries() {
            encoded.push(copy(batch)?);
            return Ok(());
        }
        encoded.extend(self.share(batch)?);
        let rows = batch.num_rows();
        match encoded.pop_if(|message| message.body_len > LARGEST_MESSAGE) {
            None => Ok(()),
            Some(_) if rows > 1 => {
                // The dictionaries before it stay: the encoder does not write them again.
                self.encode_conforming(&batch.slice(0, rows / 2), encoded)?;
                self.encode_conforming(&batch.slice(rows / 2, rows - rows / 2), encoded)
            }
            Some(_) => Err(ArrowError::IpcError("a row is over 2 GiB".to_owned())),
        }
    }

    /// The messages of a batch, made of the arrays' own buffers.
    fn share(&mut self, batch: &RecordBatch) -> Result<Vec<Encoded>, ArrowError> {
        let mut messages = if let Some(sharer) = &mut self.sharer {
            cut(sharer.encode(batch)?)?
        } else {
            let sharer = self.sharer.insert(StreamEncoder::try_new(&self.schema)?);
            let mut messages = cut(sharer.encode(batch)?)?;
            // The first is the schema.
            messages.remove(0);
            messages
        };
        if let Some(batch_message) = messages.last_mut() {
            batch_message.rows = batch.num_rows();
        }
        Ok(messages)
    }
}

/// The batch under the announced schema.
fn conform<'b>(batch: &'b RecordBatch, schema: &SchemaRef) -> Result<Cow<'b, RecordBatch>, ArrowError> {
    let found = batch.schema_ref();
    if Arc::ptr_eq(found, schema) {
        return Ok(Cow::Borrowed(batch));
    }
    let differs = found
        .fields()
        .iter()
        .zip(schema.fields())
        .find(|(found, wanted)| found.name() != wanted.name());
    if let Some((found, wanted)) = differs {
        let (found, wanted) = (found.name(), wanted.name());
        return Err(ArrowError::SchemaError(format!(
            "a batch has the column '{found}' where the schema has '{wanted}'"
        )));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options).map(Cow::Owned)
}

#[cfg(test)]
mod tests;
