//! Messages back to rows: of uploads, of results that are read here, and of servers elsewhere. None of them is believed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::MessageHeader;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{read_dictionary, read_record_batch};

use super::Body;
use super::bounds::{self, refused};
use crate::telemetry::foreign;

/// Bytes that the dictionaries of a stream may take together: they stay until it ends.
const DICTIONARIES: usize = 256 * 1024 * 1024;

/// Where Arrow wants bodies to begin. What lies elsewhere is copied, and once: some of its types cannot be read there.
const ALIGNMENT: usize = 8;

/// What becomes of additions to dictionaries. Each of them has the whole dictionary copied, so that a sender of small
/// messages can keep a reader busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Additions {
    /// They are bad input: nobody knows who sends.
    Refused,
    /// They are read: whoever reads has chosen the sender.
    Read,
}

/// Reads message after message of one stream, and is of no use after an error.
///
/// Rows take about the memory that their messages do, whatever those claim: compressed buffers are refused, and
/// dictionaries beyond 256 MiB. Arrow's reader panics about some of what is wrong: that is an error as well.
pub(crate) struct Decoder {
    schema: Option<SchemaRef>,
    additions: Additions,
    dictionaries: HashMap<i64, ArrayRef>,
    /// The bytes that each of the dictionaries came in.
    sizes: HashMap<i64, usize>,
}

impl Decoder {
    /// For a stream that begins with its columns.
    pub(crate) fn new(additions: Additions) -> Self {
        Self {
            schema: None,
            additions,
            dictionaries: HashMap::new(),
            sizes: HashMap::new(),
        }
    }

    /// For a stream after its columns.
    pub(crate) fn after(columns: SchemaRef, additions: Additions) -> Self {
        Self {
            schema: Some(columns),
            ..Self::new(additions)
        }
    }

    /// The columns, once they came.
    pub(crate) const fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// The rows in a message, if that is what it brings. The body is in memory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn decode(&mut self, header: &[u8], body: &Body) -> Result<Option<RecordBatch>, ArrowError> {
        if header.is_empty() {
            return Ok(None); // Metadata of the service's own.
        }
        contained(|| self.read(header, body))
    }

    fn read(&mut self, header: &[u8], body: &Body) -> Result<Option<RecordBatch>, ArrowError> {
        let message = bounds::header(header)?;
        let kind = message.header_type();
        if let (MessageHeader::RecordBatch | MessageHeader::DictionaryBatch, None) = (kind, &self.schema) {
            return Err(refused("there are rows before their columns"));
        }
        match (kind, &self.schema) {
            (MessageHeader::NONE, _) => Ok(None),
            (MessageHeader::Schema, None) => {
                self.schema = Some(schema(message)?);
                Ok(None)
            }
            (MessageHeader::Schema, Some(_)) => Err(refused("there are columns twice")),
            (MessageHeader::DictionaryBatch, Some(schema)) => {
                let batch = message.header_as_dictionary_batch().ok_or_else(empty)?;
                if batch.isDelta() && self.additions == Additions::Refused {
                    return Err(refused("additions to dictionaries are not supported"));
                }
                let body = aligned(body);
                bounds::dictionary(batch, body.len())?;
                let before = self.sizes.entry(batch.id()).or_default();
                *before = if batch.isDelta() {
                    *before + body.len()
                } else {
                    body.len()
                };
                if self.sizes.values().sum::<usize>() > DICTIONARIES {
                    return Err(refused("its dictionaries are too large"));
                }
                read_dictionary(&body, batch, schema, &mut self.dictionaries, &message.version())?;
                Ok(None)
            }
            (MessageHeader::RecordBatch, Some(schema)) => {
                let batch = message.header_as_record_batch().ok_or_else(empty)?;
                let body = aligned(body);
                bounds::rows(batch, body.len())?;
                let schema = Arc::clone(schema);
                read_record_batch(&body, batch, schema, &self.dictionaries, None, &message.version()).map(Some)
            }
            (other, _) => Err(refused(&format!(
                "there is a message that is no table: {}",
                other.variant_name().unwrap_or("unknown")
            ))),
        }
    }
}

/// The columns in the message of a schema.
///
/// # Errors
/// When it is none, or has a type that this version does not know.
pub(super) fn columns(header: &[u8]) -> Result<SchemaRef, ArrowError> {
    contained(|| schema(bounds::header(header)?))
}

fn schema(message: arrow_ipc::Message<'_>) -> Result<SchemaRef, ArrowError> {
    let schema = message.header_as_schema().ok_or_else(empty)?;
    bounds::columns(schema)?;
    try_fb_to_schema(schema).map(Arc::new)
}

/// The body of a message in one piece, copied at most once.
fn aligned(body: &Body) -> Buffer {
    match body.segments() {
        [one] if one.as_ptr().addr().is_multiple_of(ALIGNMENT) => Buffer::from(one.clone()),
        segments => {
            let mut bytes = MutableBuffer::with_capacity(body.len());
            for segment in segments {
                bytes.extend_from_slice(segment);
            }
            bytes.into()
        }
    }
}

fn contained<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    foreign::parse(read).unwrap_or_else(|| Err(refused("a message contradicts itself")))
}

fn empty() -> ArrowError {
    refused("a message is empty")
}

#[cfg(test)]
mod tests;
