//! Schemas as IPC messages.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamEncoder};
use bytes::{BufMut as _, Bytes, BytesMut};

use super::Message;

/// What stands before a message in files, pipes and `FlightInfo.schema`, followed by its length.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Bytes before the message: the marker and the length.
const PREFIX: usize = CONTINUATION.len() + size_of::<i32>();

/// Messages are padded so that what follows them is aligned.
const ALIGNMENT: usize = 8;

/// A schema encoded once. `FlightInfo` and the stream of a result show the same bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaMessage {
    message: Bytes,
    encapsulated: Bytes,
}

impl SchemaMessage {
    /// Encodes a schema with its metadata.
    ///
    /// # Errors
    /// When it has a type that Arrow IPC cannot carry.
    pub fn encode(schema: &Schema) -> Result<Self, ArrowError> {
        // The stream encoder is the part of arrow-ipc that looks for types which cannot be sent.
        StreamEncoder::try_new(schema)?;
        let encoded = IpcDataGenerator {}.schema_to_bytes_with_dictionary_tracker(
            schema,
            &mut DictionaryTracker::new(false),
            &IpcWriteOptions::default(),
        );
        let encapsulated = encapsulate(&encoded.ipc_message)?;
        let message = encapsulated.slice(PREFIX..PREFIX + encoded.ipc_message.len());
        Ok(Self { message, encapsulated })
    }

    /// The first message of a stream.
    #[must_use]
    pub fn message(&self) -> Message {
        Message {
            header: self.message.clone(),
            ..Message::default()
        }
    }

    /// The schema on its own, as `FlightInfo.schema` has it: marker, length, message.
    #[must_use]
    pub const fn encapsulated(&self) -> &Bytes {
        &self.encapsulated
    }
}

fn encapsulate(message: &[u8]) -> Result<Bytes, ArrowError> {
    let padded = message.len().next_multiple_of(ALIGNMENT);
    let length = i32::try_from(padded).map_err(|_| ArrowError::IpcError("the schema is over 2 GiB".to_owned()))?;
    let mut bytes = BytesMut::with_capacity(PREFIX + padded);
    bytes.put_slice(&CONTINUATION);
    bytes.put_i32_le(length);
    bytes.put_slice(message);
    bytes.put_bytes(0, padded - message.len());
    Ok(bytes.freeze())
}
