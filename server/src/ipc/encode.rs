//! Record batches as IPC messages.
//!
//! arrow-flight's own encoder is not used: it unpacks dictionaries, which contradicts the schema already announced, drops
//! batches without rows, and cuts slices of large arrays too small.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};

use super::{Message, SchemaMessage};

/// A table as messages, ready to be sent any number of times.
#[derive(Debug)]
pub struct EncodedTable {
    schema: SchemaMessage,
    /// Dictionaries and batches, in the order they are sent.
    messages: Vec<Message>,
    rows: usize,
}

impl EncodedTable {
    /// Encodes a table: one message for each batch that has rows, with the dictionaries before those that need them.
    ///
    /// # Errors
    /// When a batch does not have the columns of the schema, or has a type that IPC cannot carry.
    pub fn encode(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let mut encoder = BatchEncoder::new(schema.clone())?;
        let mut messages = Vec::with_capacity(batches.len());
        for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
            messages.extend(encoder.encode(batch)?);
        }
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        Ok(Self {
            schema: encoder.into_schema(),
            messages,
            rows,
        })
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

    /// Bytes held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.schema.message().size() + self.messages.iter().map(Message::size).sum::<usize>()
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
    /// Which dictionaries the reader has already.
    dictionaries: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl BatchEncoder {
    /// # Errors
    /// When the schema has a type that IPC cannot carry.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, ArrowError> {
        let options = IpcWriteOptions::default();
        let mut dictionaries = DictionaryTracker::new(false);
        let schema_message = SchemaMessage::encode_tracking(&schema, &mut dictionaries, &options)?;
        Ok(Self {
            schema,
            schema_message,
            dictionaries,
            options,
            context: IpcWriteContext::default(),
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
    pub(crate) fn encode(&mut self, batch: &RecordBatch) -> Result<Vec<Message>, ArrowError> {
        let batch = conform(batch, &self.schema)?;
        let (dictionaries, batch) =
            IpcDataGenerator {}.encode(&batch, &mut self.dictionaries, &self.options, &mut self.context)?;
        Ok(dictionaries.into_iter().chain([batch]).map(Message::from).collect())
    }
}

/// The batch under the announced schema.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let found = batch.schema_ref();
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
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
}

impl From<EncodedData> for Message {
    fn from(encoded: EncodedData) -> Self {
        let mut body = encoded.arrow_data;
        // It grew by doubling, and may stay for as long as the result does.
        body.shrink_to_fit();
        Self {
            header: encoded.ipc_message.into(),
            body: body.into(),
        }
    }
}

#[cfg(test)]
mod tests;
