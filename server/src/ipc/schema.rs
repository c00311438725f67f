//! Schemas as IPC messages.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamEncoder};
use bytes::{BufMut as _, Bytes, BytesMut};

use super::Message;

/// What stands before a message in files, pipes and `FlightInfo.schema`, followed by its length.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Messages are padded so that what follows them is aligned.
const ALIGNMENT: usize = 8;

/// A schema encoded once. `FlightInfo` and the stream of a result show the same bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaMessage(Bytes);

impl SchemaMessage {
    /// Encodes a schema with its metadata.
    ///
    /// # Errors
    /// When it has a type that Arrow IPC cannot carry.
    pub fn encode(schema: &Schema) -> Result<Self, ArrowError> {
        Self::encode_tracking(schema, &mut DictionaryTracker::new(false), &IpcWriteOptions::default())
    }

    /// Encodes a schema and has the tracker give its dictionaries their ids.
    pub(super) fn encode_tracking(
        schema: &Schema,
        dictionaries: &mut DictionaryTracker,
        options: &IpcWriteOptions,
    ) -> Result<Self, ArrowError> {
        // The stream encoder is the part of arrow-ipc that looks for types which cannot be sent.
        StreamEncoder::try_new(schema)?;
        let encoded = IpcDataGenerator {}.schema_to_bytes_with_dictionary_tracker(schema, dictionaries, options);
        Ok(Self(encoded.ipc_message.into()))
    }

    /// The first message of a stream.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            header: self.0.clone(),
            body: Bytes::new(),
        }
    }

    /// The schema on its own, as `FlightInfo.schema` has it: marker, length, message.
    #[must_use]
    pub fn encapsulated(&self) -> Bytes {
        let length = self.0.len().next_multiple_of(ALIGNMENT);
        let mut bytes = BytesMut::with_capacity(CONTINUATION.len() + 4 + length);
        bytes.put_slice(&CONTINUATION);
        bytes.put_u32_le(u32::try_from(length).expect("flatbuffers are smaller than 2 GiB"));
        bytes.put_slice(&self.0);
        bytes.put_bytes(0, length - self.0.len());
        bytes.freeze()
    }
}
