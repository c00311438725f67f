//! Schemas as IPC messages.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions, StreamEncoder};
use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Message, bounds, decode, stream};

/// What stands before a message in files, pipes and `FlightInfo.schema`, followed by its length.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Bytes before the message: the marker and the length.
const PREFIX: usize = CONTINUATION.len() + size_of::<i32>();

/// Messages are padded so that what follows them is aligned.
const ALIGNMENT: usize = 8;

/// Schemas that are kept encoded; with more, those that came first go first.
const KEPT: usize = 32;

/// One that is larger, most likely by metadata made for a single result, is not kept.
const KEPT_BYTES: usize = 16 * 1024;

/// A schema encoded once. `FlightInfo` and the stream of a result show the same bytes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaMessage {
    message: Bytes,
    encapsulated: Bytes,
    has_dictionaries: bool,
}

impl SchemaMessage {
    /// Encodes a schema with its metadata.
    ///
    /// # Errors
    /// When it has a type that Arrow IPC cannot carry.
    pub fn encode(schema: &Schema) -> Result<Self, ArrowError> {
        // The stream encoder is the part of arrow-ipc that looks for types which cannot be sent.
        StreamEncoder::try_new(schema)?;
        if schema
            .fields()
            .iter()
            .any(|field| has_views_in_runs(field.data_type(), false))
        {
            let message = "run-end encoded views cannot be sent: use Utf8 or Binary in place of Utf8View or BinaryView";
            return Err(ArrowError::NotYetImplemented(message.to_owned()));
        }
        let encoded = IpcDataGenerator {}.schema_to_bytes_with_dictionary_tracker(
            schema,
            &mut DictionaryTracker::new(false),
            &IpcWriteOptions::default(),
        );
        let encapsulated = encapsulate(&encoded.ipc_message)?;
        let message = encapsulated.slice(PREFIX..PREFIX + encoded.ipc_message.len());
        let mut fields = schema.flattened_fields().into_iter();
        Ok(Self {
            message,
            encapsulated,
            has_dictionaries: fields.any(|field| matches!(field.data_type(), DataType::Dictionary(_, _))),
        })
    }

    /// A schema that somebody else encoded: the header of its message with the marker and the length before it, and
    /// without them. The bytes stay what they are.
    ///
    /// # Errors
    /// When it is not the message of a schema.
    pub(super) fn encoded(encapsulated: Bytes, message: Bytes) -> Result<Self, ArrowError> {
        let schema = bounds::header(&message)?.header_as_schema();
        let schema = schema.ok_or_else(|| ArrowError::IpcError("the message is no schema".to_owned()))?;
        let mut fields: Vec<_> = schema.fields().into_iter().flatten().collect();
        let mut has_dictionaries = false;
        while let Some(field) = fields.pop() {
            has_dictionaries |= field.dictionary().is_some();
            fields.extend(field.children().into_iter().flatten());
        }
        Ok(Self {
            message,
            encapsulated,
            has_dictionaries,
        })
    }

    /// The schema in bytes such as `FlightInfo.schema` has.
    ///
    /// # Errors
    /// When they are not just that.
    pub(crate) fn cut(mut bytes: Bytes) -> Result<Self, ArrowError> {
        stream::take_schema(&mut bytes)
    }

    /// The same, kept for the next results with these columns: functions return the same ones call after call, and a small
    /// result would be mostly its schema.
    pub(super) fn recall(schema: &SchemaRef) -> Result<Self, ArrowError> {
        static LATELY: Mutex<VecDeque<(SchemaRef, SchemaMessage)>> = Mutex::new(VecDeque::new());

        let lately = || LATELY.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |kept: &SchemaRef| Arc::ptr_eq(kept, schema) || kept == schema;
        if let Some((_, message)) = lately().iter().find(|(kept, _)| same(kept)) {
            return Ok(message.clone());
        }
        let message = Self::encode(schema)?;
        if message.encapsulated.len() <= KEPT_BYTES {
            let mut lately = lately();
            lately.truncate(KEPT - 1);
            lately.push_front((Arc::clone(schema), message.clone()));
        }
        Ok(message)
    }

    /// The columns.
    ///
    /// # Errors
    /// When somebody else encoded them, with a type that this version does not know.
    pub(crate) fn columns(&self) -> Result<SchemaRef, ArrowError> {
        decode::columns(&self.message)
    }

    /// Whether there are columns, or parts of columns, with dictionaries.
    pub(crate) const fn has_dictionaries(&self) -> bool {
        self.has_dictionaries
    }

    /// The same in memory of its own: what it was cut out of can go.
    pub(crate) fn detached(&self) -> Self {
        Self {
            message: Bytes::copy_from_slice(&self.message),
            encapsulated: Bytes::copy_from_slice(&self.encapsulated),
            has_dictionaries: self.has_dictionaries,
        }
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

/// Whether there are views inside of run-end encoded columns. arrow-ipc counts their buffers before it cuts the runs to
/// size, and writes messages that nobody can read.
fn has_views_in_runs(data_type: &DataType, in_runs: bool) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView => in_runs,
        DataType::RunEndEncoded(_, values) => has_views_in_runs(values.data_type(), true),
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_views_in_runs(item.data_type(), in_runs),
        DataType::Struct(fields) => fields.iter().any(|field| has_views_in_runs(field.data_type(), in_runs)),
        DataType::Union(fields, _) => fields
            .iter()
            .any(|(_, field)| has_views_in_runs(field.data_type(), in_runs)),
        _ => false,
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
