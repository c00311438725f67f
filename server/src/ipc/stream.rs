//! IPC streams that somebody else encoded: cut into messages where they lie. Nothing is copied, no buffer is decoded, and
//! nothing is believed: a length that lies, or a header that is none, ends the reading with an error.

use arrow::error::ArrowError;
use arrow_ipc::MessageHeader;
use bytes::{Buf as _, Bytes};

use super::{Body, Message, SchemaMessage, bounds};
use crate::memory::Region;

/// The marker before a message and its length.
const PREFIX: usize = 8;

/// What clients can be expected to read in one message.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Schema,
    Dictionary,
    Batch,
}

/// The beginning of a stream: its schema, and the dictionaries that lie with it.
///
/// # Errors
/// When it is not made of whole messages, the schema first.
pub(crate) fn open(mut stream: Bytes) -> Result<(SchemaMessage, Vec<Message>), ArrowError> {
    let schema = take_schema(&mut stream)?;
    Ok((schema, rest(stream)?))
}

/// The messages in a piece of a stream that begins and ends between two of them, the schema not among them.
///
/// # Errors
/// When it is not made of whole messages.
pub(crate) fn rest(mut stream: Bytes) -> Result<Vec<Message>, ArrowError> {
    let mut messages = Vec::with_capacity(1);
    while let Some((role, _, message)) = take(&mut stream)? {
        match role {
            Role::Dictionary | Role::Batch => messages.push(message),
            Role::Schema => return Err(broken("a second schema")),
        }
    }
    Ok(messages)
}

/// Bytes that are read of a file for a header; more of them are read again.
const LIKELY_HEADER: u64 = 4_096;

/// Cuts a stream that lies in a file: its schema, and its messages without those that have no rows. Headers are read,
/// bodies stay where they are. Blocks.
///
/// # Errors
/// When it is not made of whole messages, the schema first; when the headers and `overhead` for each take more than `most`
/// bytes; when the file cannot be read.
pub(super) fn in_file(
    mut stream: Region,
    overhead: usize,
    most: usize,
) -> Result<(SchemaMessage, Vec<Message>, usize), ArrowError> {
    let (mut schema, mut messages, mut held) = (None, Vec::new(), 0);
    while let Some(encapsulated) = header_in_file(&stream)? {
        drop(stream.split_to(encapsulated.len() as u64));
        let header = encapsulated.slice(PREFIX..);
        let (role, rows, body) = inspect(&header)?;
        if stream.len() < body as u64 {
            return Err(broken("a cut body"));
        }
        let body = stream.split_to(body as u64);
        match (role, &schema) {
            (Role::Schema, None) if body.is_empty() => schema = Some(SchemaMessage::encoded(encapsulated, header)?),
            (Role::Schema | Role::Dictionary | Role::Batch, None) => {
                return Err(broken("no schema at its beginning"));
            }
            (Role::Schema, Some(_)) => return Err(broken("a second schema")),
            (Role::Batch, Some(_)) if rows == 0 => {}
            (Role::Dictionary | Role::Batch, Some(_)) => {
                held += overhead + header.len();
                if held > most {
                    return Err(broken("too many batches to keep their headers"));
                }
                messages.push(Message {
                    body: Body::from(body),
                    app_metadata: Bytes::new(),
                    header,
                    rows,
                });
            }
        }
    }
    let schema = schema.ok_or_else(|| broken("no schema at its beginning"))?;
    Ok((schema, messages, held))
}

/// The header of the next message, with marker and length. `None` at the end of the stream, marked or not.
fn header_in_file(stream: &Region) -> Result<Option<Bytes>, ArrowError> {
    if stream.is_empty() {
        return Ok(None);
    }
    let read = |bytes| -> Result<Bytes, ArrowError> { Ok(stream.clone().split_to(bytes).read()?) };
    let mut begin = read(LIKELY_HEADER)?;
    let Some(length) = header_length(&begin)? else {
        return Ok(None);
    };
    let end = PREFIX + length;
    if begin.len() < end {
        if stream.len() < end as u64 {
            return Err(broken("a cut header"));
        }
        begin = read(end as u64)?;
    }
    // What is kept does not hold what was read beside it.
    Ok(Some(Bytes::copy_from_slice(&begin[..end])))
}

/// The schema that a stream begins with.
pub(super) fn take_schema(stream: &mut Bytes) -> Result<SchemaMessage, ArrowError> {
    match take(stream)? {
        Some((Role::Schema, encapsulated, message)) if message.body.is_empty() => {
            SchemaMessage::encoded(encapsulated, message.header)
        }
        Some(_) | None => Err(broken("no schema at its beginning")),
    }
}

/// Takes a message off a stream: its header as the stream has it, with marker and length, and the message itself. `None`
/// at the end of the stream, marked or not.
fn take(stream: &mut Bytes) -> Result<Option<(Role, Bytes, Message)>, ArrowError> {
    if stream.is_empty() {
        return Ok(None);
    }
    let Some(length) = header_length(stream)? else {
        stream.clear();
        return Ok(None);
    };
    if stream.len() - PREFIX < length {
        return Err(broken("a cut header"));
    }
    let encapsulated = stream.split_to(PREFIX + length);
    let header = encapsulated.slice(PREFIX..);
    let (role, rows, body_len) = inspect(&header)?;
    if stream.len() < body_len {
        return Err(broken("a cut body"));
    }
    let message = Message {
        body: Body::from(stream.split_to(body_len)),
        app_metadata: Bytes::new(),
        header,
        rows,
    };
    Ok(Some((role, encapsulated, message)))
}

/// Bytes of the header after the prefix that a message begins with; `None` for the mark of the end.
fn header_length(message: &[u8]) -> Result<Option<usize>, ArrowError> {
    let mut prefix = message.get(..PREFIX).ok_or_else(|| broken("a cut prefix"))?;
    if prefix.get_u32_le() != u32::MAX {
        return Err(broken("no marker before a message"));
    }
    let length = usize::try_from(prefix.get_i32_le()).map_err(|_| broken("a negative length"))?;
    Ok((length > 0).then_some(length))
}

/// What a header says: the role of its message, its rows, and the bytes of its body, within which all buffers lie.
fn inspect(header: &[u8]) -> Result<(Role, usize, usize), ArrowError> {
    let message = bounds::header(header)?;
    let body_len = usize::try_from(message.bodyLength()).map_err(|_| broken("a negative length of a body"))?;
    if body_len > LARGEST_MESSAGE {
        let problem = "a batch is over 2 GiB, which clients cannot read: return smaller batches";
        return Err(ArrowError::IpcError(problem.to_owned()));
    }
    let (role, batch) = match message.header_type() {
        MessageHeader::Schema => (Role::Schema, None),
        MessageHeader::DictionaryBatch => {
            let dictionary = message.header_as_dictionary_batch();
            (Role::Dictionary, dictionary.and_then(|dictionary| dictionary.data()))
        }
        MessageHeader::RecordBatch => (Role::Batch, message.header_as_record_batch()),
        _ => return Err(broken("a message that is neither schema, dictionary nor batch")),
    };
    let Some(batch) = batch else {
        return match role {
            Role::Schema => Ok((role, 0, body_len)),
            Role::Dictionary | Role::Batch => Err(broken("a batch without a header")),
        };
    };
    let rows = usize::try_from(batch.length()).map_err(|_| broken("a negative number of rows"))?;
    let lies_within = |begin: i64, length: i64| {
        let begin = usize::try_from(begin).ok()?;
        let end = begin.checked_add(usize::try_from(length).ok()?)?;
        Some(end <= body_len)
    };
    let mut buffers = batch.buffers().into_iter().flatten();
    if !buffers.all(|buffer| lies_within(buffer.offset(), buffer.length()) == Some(true)) {
        return Err(broken("a buffer outside of its body"));
    }
    let rows = if role == Role::Batch { rows } else { 0 };
    Ok((role, rows, body_len))
}

fn broken(what: &str) -> ArrowError {
    ArrowError::IpcError(format!("the stream has {what}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch};
    use arrow::datatypes::Int32Type;
    use arrow_ipc::writer::StreamWriter;
    use proptest::prelude::*;

    use super::*;
    use crate::ipc::{Additions, Decoder, EncodedTable};

    fn batch(numbers: &[i64]) -> RecordBatch {
        let words: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let words: DictionaryArray<Int32Type> = words.iter().map(String::as_str).collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
        RecordBatch::try_from_iter([("n", numbers), ("word", Arc::new(words) as _)]).expect("two columns")
    }

    fn stream(batches: &[RecordBatch]) -> Bytes {
        let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).expect("a schema");
        for batch in batches {
            writer.write(batch).expect("a batch");
        }
        writer.into_inner().expect("whole").into()
    }

    #[test]
    fn a_table_is_cut_without_a_copy_and_reads_back() {
        let batches = [batch(&[1, 2]), batch(&[]), batch(&[2, 3, 4])];
        let bytes = stream(&batches);
        let within = bytes.as_ptr_range();
        let table = EncodedTable::cut(bytes.clone()).expect("whole");
        assert_eq!(table.rows(), 5);
        let messages: Vec<_> = (0..).map_while(|index| table.message(index)).collect();
        for message in &messages {
            assert!(within.contains(&message.header.as_ptr()));
            assert!(
                message
                    .body
                    .segments()
                    .iter()
                    .all(|segment| within.contains(&segment.as_ptr()))
            );
        }
        assert!(bytes.starts_with(table.schema().encapsulated()));
        let mut decoder = Decoder::after(table.schema().columns().expect("columns"), Additions::Refused);
        let mut read = Vec::new();
        for message in table.batches() {
            read.extend(decoder.decode(&message.header, &message.body).expect("a message"));
        }
        assert_eq!(
            read,
            [batch(&[1, 2]), batch(&[2, 3, 4])],
            "batches without rows are left out"
        );
    }

    #[test]
    fn a_stream_that_ends_early_is_refused_wherever_it_is_cut() {
        let bytes = stream(&[batch(&[1, 2])]);
        let end = bytes.len() - PREFIX;
        let borders: Vec<usize> = {
            let mut rest = bytes.clone();
            std::iter::from_fn(|| {
                take(&mut rest).expect("whole")?;
                Some(bytes.len() - rest.len())
            })
            .collect()
        };
        for cut in 0..end {
            let whole = EncodedTable::cut(bytes.slice(..cut)).is_ok();
            assert_eq!(whole, borders.contains(&cut), "at {cut} of {end}");
        }
    }

    #[test]
    fn schemas_come_first_and_once() {
        let bytes = stream(&[batch(&[1])]);
        let (schema, first) = open(bytes.clone()).expect("whole");
        assert_eq!(first.len(), 2, "a dictionary and a batch");
        assert!(rest(bytes.clone()).is_err(), "there is a schema");
        let without = bytes.slice(schema.encapsulated().len()..);
        assert!(open(without.clone()).is_err(), "there is none");
        assert_eq!(rest(without).expect("whole"), first);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn no_stream_is_too_strange(at in 0_usize..1_000, bytes in prop::collection::vec(any::<u8>(), 1..9)) {
            let mut stream = stream(&[batch(&[1, 2])]).to_vec();
            let at = at % stream.len();
            for (place, byte) in stream[at..].iter_mut().zip(bytes) {
                *place = byte;
            }
            // Whatever was cut can be decoded or is refused.
            let Ok(table) = EncodedTable::cut(stream.into()) else { return Ok(()) };
            let Ok(columns) = table.schema().columns() else { return Ok(()) };
            let mut decoder = Decoder::after(columns, Additions::Read);
            for message in table.batches() {
                if decoder.decode(&message.header, &message.body).is_err() {
                    break;
                }
            }
        }
    }
}
