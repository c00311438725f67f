//! Messages back to rows, for who wants to look at what is otherwise sent as it is.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::MessageHeader;
use arrow_ipc::convert::try_schema_from_flatbuffer_bytes;
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use bytes::BytesMut;

use super::{Body, Message, SchemaMessage};

/// Decodes the messages of one stream, one after the other.
pub(crate) struct Decoder {
    schema: SchemaRef,
    dictionaries: HashMap<i64, ArrayRef>,
}

impl Decoder {
    /// # Errors
    /// When the schema has a type that this version does not know.
    pub(crate) fn new(schema: &SchemaMessage) -> Result<Self, ArrowError> {
        let schema = contained(|| try_schema_from_flatbuffer_bytes(&schema.message().header))?;
        Ok(Self {
            schema: Arc::new(schema),
            dictionaries: HashMap::new(),
        })
    }

    pub(crate) const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows of a message; `None` for a dictionary, which is remembered.
    ///
    /// # Errors
    /// When it is not what the schema says.
    pub(crate) fn decode(&mut self, message: &Message) -> Result<Option<RecordBatch>, ArrowError> {
        let body = contiguous(&message.body);
        let header =
            arrow_ipc::root_as_message(&message.header).map_err(|error| ArrowError::IpcError(error.to_string()))?;
        let version = header.version();
        match header.header_type() {
            MessageHeader::RecordBatch => {
                let batch = header.header_as_record_batch().ok_or_else(malformed)?;
                let schema = Arc::clone(&self.schema);
                contained(|| read_record_batch(&body, batch, schema, &self.dictionaries, None, &version)).map(Some)
            }
            MessageHeader::DictionaryBatch => {
                let batch = header.header_as_dictionary_batch().ok_or_else(malformed)?;
                contained(|| read_dictionary(&body, batch, &self.schema, &mut self.dictionaries, &version))?;
                Ok(None)
            }
            _ => Err(malformed()),
        }
    }
}

/// The bytes of a body in memory. What comes encoded lies in one piece, and is not copied.
fn contiguous(body: &Body) -> Buffer {
    match body.segments() {
        [one] => Buffer::from(one.clone()),
        segments => {
            let mut bytes = BytesMut::with_capacity(body.len());
            for segment in segments {
                bytes.extend_from_slice(segment);
            }
            Buffer::from(bytes.freeze())
        }
    }
}

/// The decoder is made for streams that are well formed; others may make it panic.
fn contained<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(malformed()))
}

fn malformed() -> ArrowError {
    ArrowError::IpcError("the stream is malformed".to_owned())
}
