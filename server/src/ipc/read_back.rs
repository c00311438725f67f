//! For tests and fuzzers: what an Arrow reader makes of messages.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_ipc::reader::StreamReader;

use super::Message;

/// The columns and rows of messages, written one after the other as a file has them.
pub(crate) fn read_back(messages: impl IntoIterator<Item = Message>) -> (SchemaRef, Vec<RecordBatch>) {
    let mut file = Vec::new();
    for Message { header, body, .. } in messages {
        let padded = header.len().next_multiple_of(8);
        file.extend([0xff; 4]);
        file.extend(u32::try_from(padded).expect("small").to_le_bytes());
        file.extend(&header[..]);
        file.resize(file.len() + padded - header.len(), 0);
        for segment in body.segments() {
            file.extend(&segment[..]);
        }
    }
    let reader = StreamReader::try_new(&file[..], None).expect("a stream");
    (reader.schema(), reader.map(|batch| batch.expect("a batch")).collect())
}
