//! Arrow IPC: results are encoded once, when the function returns them.

mod encode;
mod schema;

pub(crate) use encode::BatchEncoder;
pub use encode::EncodedTable;
pub use schema::SchemaMessage;

use arrow_flight::FlightData;
use bytes::Bytes;

/// One IPC message: the flatbuffer that describes it, and the Arrow buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The bare `Message` flatbuffer, without the length before it that files and pipes need.
    pub header: Bytes,
    /// The buffers, each padded to 64 bytes; empty for a schema.
    pub body: Bytes,
}

impl Message {
    /// Bytes held.
    #[must_use]
    pub fn size(&self) -> usize {
        self.header.len() + self.body.len()
    }
}

/// The message as a Flight stream carries it. Shares the bytes.
impl From<Message> for FlightData {
    fn from(message: Message) -> Self {
        Self {
            data_header: message.header,
            data_body: message.body,
            ..Self::default()
        }
    }
}
