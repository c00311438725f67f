//! Arrow IPC: results are encoded once, when the function returns them, and their buffers are never copied after that.

mod bounds;
mod copy;
mod cut;
mod decode;
mod encode;
mod message;
mod pack;
#[cfg(any(test, feature = "fuzzing"))]
mod read_back;
mod schema;
pub(crate) mod stream;

pub(crate) use decode::{Additions, Decoder};
pub(crate) use encode::BatchEncoder;
pub use encode::EncodedTable;
pub(crate) use message::rows;
pub use message::{Body, Message};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use read_back::read_back;
pub use schema::SchemaMessage;
