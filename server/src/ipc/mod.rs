//! Arrow IPC: results are encoded once, when the function returns them, and their buffers are never copied after that.

mod copy;
mod cut;
mod decode;
mod encode;
mod message;
mod pack;
mod schema;
pub(crate) mod stream;

pub(crate) use decode::Decoder;
pub(crate) use encode::BatchEncoder;
pub use encode::EncodedTable;
pub(crate) use message::rows;
pub use message::{Body, Message};
pub use schema::SchemaMessage;
