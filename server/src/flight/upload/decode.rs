//! Rows out of the messages of an upload, whoever sends them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_flight::FlightData;
use arrow_ipc::MessageHeader;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{read_dictionary, read_record_batch};
use bytes::Bytes;

use super::bounds::{self, refused};
use crate::error::FlightError;
use crate::telemetry::foreign;

/// Bytes that the dictionaries of an upload may take together: they stay until it ends.
const DICTIONARIES: usize = 256 * 1024 * 1024;

/// How Arrow aligns buffers.
const ALIGNMENT: usize = 64;

/// Reads message after message, and is of no use after an error.
#[derive(Default)]
pub(super) struct Decoder {
    schema: Option<SchemaRef>,
    dictionaries: HashMap<i64, ArrayRef>,
    /// The bytes that each of the dictionaries came in.
    sizes: HashMap<i64, usize>,
}

impl Decoder {
    /// The columns, once they came.
    pub(super) const fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// The rows in a message, if that is what it brings.
    ///
    /// # Errors
    /// When it cannot be read. Arrow's reader panics about some of what is wrong: that is an error as well.
    pub(super) fn decode(&mut self, data: &FlightData) -> Result<Option<RecordBatch>, FlightError> {
        let read = foreign::parse(|| self.read(data).map_err(|error| error.to_string()));
        read.flatten()
            .map_err(|reason| FlightError::bad_argument(format!("The data cannot be read: {reason}")))
    }

    fn read(&mut self, data: &FlightData) -> Result<Option<RecordBatch>, ArrowError> {
        if data.data_header.is_empty() {
            return Ok(None); // Metadata of the service's own.
        }
        let message = bounds::header(&data.data_header)?;
        let length = data.data_body.len();
        let kind = message.header_type();
        if let (MessageHeader::RecordBatch | MessageHeader::DictionaryBatch, None) = (kind, &self.schema) {
            return Err(refused("there are rows before their columns"));
        }
        match (kind, self.schema.clone()) {
            (MessageHeader::NONE, _) => Ok(None),
            (MessageHeader::Schema, None) => {
                let schema = message.header_as_schema().ok_or_else(empty)?;
                self.schema = Some(Arc::new(try_fb_to_schema(schema)?));
                Ok(None)
            }
            (MessageHeader::Schema, Some(_)) => Err(refused("there are columns twice")),
            (MessageHeader::DictionaryBatch, Some(schema)) => {
                let batch = message.header_as_dictionary_batch().ok_or_else(empty)?;
                bounds::dictionary(batch, length)?;
                self.sizes.insert(batch.id(), length);
                if self.sizes.values().sum::<usize>() > DICTIONARIES {
                    return Err(refused("its dictionaries are too large"));
                }
                let body = aligned(&data.data_body);
                read_dictionary(&body, batch, &schema, &mut self.dictionaries, &message.version())?;
                Ok(None)
            }
            (MessageHeader::RecordBatch, Some(schema)) => {
                let batch = message.header_as_record_batch().ok_or_else(empty)?;
                bounds::rows(batch, length)?;
                let body = aligned(&data.data_body);
                read_record_batch(&body, batch, schema, &self.dictionaries, None, &message.version()).map(Some)
            }
            (other, _) => Err(refused(&format!(
                "there is a message that is no table: {}",
                other.variant_name().unwrap_or("unknown")
            ))),
        }
    }
}

/// The body of a message, copied at most once.
fn aligned(body: &Bytes) -> Buffer {
    if body.as_ptr().addr().is_multiple_of(ALIGNMENT) {
        Buffer::from(body.clone())
    } else {
        Buffer::from(body.as_ref())
    }
}

fn empty() -> ArrowError {
    refused("a message is empty")
}

#[cfg(test)]
mod tests;
