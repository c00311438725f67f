//! Small batches as messages: their buffers are copied next to each other, which costs less than sharing them.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};

use super::cut::Encoded;
use super::pack::SMALL_MESSAGE;

/// Encodes the small ones among the batches of a stream without dictionaries.
pub(super) struct Copier {
    options: IpcWriteOptions,
    context: IpcWriteContext,
    no_dictionaries: DictionaryTracker,
}

impl Copier {
    /// `None` for columns with dictionaries.
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        let mut fields = schema.flattened_fields().into_iter();
        let plain = fields.all(|field| !matches!(field.data_type(), DataType::Dictionary(_, _)));
        plain.then(|| Self {
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
            no_dictionaries: DictionaryTracker::new(false),
        })
    }

    /// The message of a batch, `None` if it is not small. The batch must have the columns of the schema.
    ///
    /// # Errors
    /// When a column cannot be sent.
    pub(super) fn encode(&mut self, batch: &RecordBatch) -> Result<Option<Encoded>, ArrowError> {
        if batch.get_array_memory_size() > SMALL_MESSAGE {
            return Ok(None);
        }
        let generator = IpcDataGenerator::default();
        let (_, encoded) = generator.encode(batch, &mut self.no_dictionaries, &self.options, &mut self.context)?;
        Ok(Some(Encoded {
            body_len: encoded.arrow_data.len(),
            header: Buffer::from_vec(encoded.ipc_message),
            body: vec![Buffer::from_vec(encoded.arrow_data)],
            rows: batch.num_rows(),
        }))
    }
}
