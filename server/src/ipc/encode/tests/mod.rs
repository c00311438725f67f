//! What is encoded, an Arrow reader reads.

mod every_type;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, DictionaryArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::ipc::{Additions, Decoder, read_back};

fn messages(table: &EncodedTable) -> Vec<Message> {
    (0..).map_while(|index| table.message(index)).collect()
}

fn schema(nullable: bool) -> SchemaRef {
    let fields = vec![Field::new("n", DataType::Int64, nullable)];
    let metadata = HashMap::from([("x-gdc-data-source-messages".to_owned(), "[]".to_owned())]);
    Arc::new(Schema::new(fields).with_metadata(metadata))
}

fn batch(values: Vec<Option<i64>>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(values));
    RecordBatch::try_from_iter_with_nullable([("n", column, true)]).expect("one column")
}

fn words(keys: &[i32], values: &[&str]) -> RecordBatch {
    let values: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    let column = DictionaryArray::<Int32Type>::new(Int32Array::from(keys.to_vec()), values);
    RecordBatch::try_from_iter([("w", Arc::new(column) as ArrayRef)]).expect("one column")
}

#[test]
fn batches_and_schema_metadata_survive() {
    let batches = [batch(vec![Some(1), None]), batch(vec![Some(3)])];
    let table = EncodedTable::encode(&schema(true), batches.to_vec()).expect("encodes");
    let messages = messages(&table);
    assert_eq!(messages.len(), 3);
    assert_eq!(table.rows(), 3);
    assert_eq!(table.len(), messages.iter().map(Message::len).sum::<usize>());
    let (read_schema, read) = read_back(messages);
    assert_eq!(read_schema, schema(true));
    assert_eq!(
        read.iter().map(|batch| batch.column(0).clone()).collect::<Vec<_>>(),
        [batches[0].column(0).clone(), batches[1].column(0).clone()]
    );
}

#[test]
fn a_table_without_rows_is_only_its_schema() {
    let table = EncodedTable::encode(&schema(true), vec![batch(vec![]), batch(vec![])]).expect("encodes");
    assert_eq!(messages(&table), [table.schema().message()]);
    let table = EncodedTable::encode(&schema(true), vec![batch(vec![]), batch(vec![Some(1)])]).expect("encodes");
    assert_eq!(messages(&table).len(), 2);
}

#[test]
fn a_stream_keeps_batches_without_rows() {
    let mut encoder = BatchEncoder::new(schema(true)).expect("a good schema");
    let mut messages = vec![encoder.schema().message()];
    for values in [vec![], vec![Some(1)], vec![]] {
        messages.extend(encoder.encode(&batch(values)).expect("encodes"));
    }
    let rows: Vec<_> = read_back(messages).1.iter().map(RecordBatch::num_rows).collect();
    assert_eq!(rows, [0, 1, 0]);
}

#[test]
fn dictionaries_stay_and_are_sent_when_they_change() {
    let batches = [
        words(&[0, 1], &["a", "b"]),
        words(&[1, 0], &["a", "b"]),
        words(&[0], &["c"]),
    ];
    let table = EncodedTable::encode(&batches[0].schema(), batches.to_vec()).expect("encodes");
    let messages = messages(&table);
    // Schema, dictionary, batch, batch, dictionary, batch.
    assert_eq!(messages.len(), 6);
    let (schema, read) = read_back(messages);
    assert_eq!(schema, batches[0].schema());
    assert_eq!(read, batches);
}

#[test]
fn a_slice_takes_no_more_than_it_shows() {
    let large = batch((0..100_000).map(Some).collect());
    let table = EncodedTable::encode(&schema(true), vec![large.slice(50_000, 10)]).expect("encodes");
    assert!(table.held() < 2048, "{} bytes", table.held());
    assert_eq!(
        read_back(messages(&table)).1[0].column(0),
        &large.column(0).slice(50_000, 10)
    );
}

#[test]
fn batches_have_the_columns_of_the_schema() {
    let encode = |schema: SchemaRef, batch: RecordBatch| EncodedTable::encode(&schema, vec![batch]).map(|_| ());
    let other_name = Arc::new(Schema::new(vec![Field::new("m", DataType::Int64, true)]));
    let error = encode(other_name, batch(vec![Some(1)])).expect_err("another name");
    assert_eq!(
        error.to_string(),
        "Schema error: a batch has the column 'n' where the schema has 'm'"
    );

    let other_type = Arc::new(Schema::new(vec![Field::new("n", DataType::Utf8, true)]));
    encode(other_type, batch(vec![Some(1)])).expect_err("another type");
    encode(Arc::new(Schema::empty()), batch(vec![Some(1)])).expect_err("too many columns");
    encode(schema(false), batch(vec![None])).expect_err("null where none may be");
    encode(schema(false), batch(vec![Some(1)])).expect("no null");
}

#[test]
fn the_schema_on_its_own_is_aligned_and_the_same() {
    let message = SchemaMessage::encode(&schema(true)).expect("encodes");
    let bytes = message.encapsulated();
    assert_eq!(bytes[..4], [0xff; 4]);
    let length = u32::from_le_bytes(bytes[4..8].try_into().expect("four bytes")) as usize;
    assert_eq!(bytes.len(), 8 + length);
    assert_eq!(length % 8, 0);
    assert_eq!(
        bytes[8..8 + message.message().header.len()],
        message.message().header[..]
    );
    assert_eq!(
        arrow_ipc::convert::try_schema_from_ipc_buffer(bytes).expect("a schema"),
        *schema(true)
    );
}

#[test]
fn results_with_the_same_columns_share_their_schema() {
    let header = |schema: &SchemaRef| {
        BatchEncoder::new(schema.clone())
            .expect("encodes")
            .schema()
            .message()
            .header
    };
    let (first, again) = (header(&schema(true)), header(&schema(true)));
    assert_eq!(first.as_ptr(), again.as_ptr());
    let other = header(&schema(false));
    assert_ne!(first, other);
    for columns in 0..100 {
        let fields: Vec<_> = (0..columns)
            .map(|n| Field::new(n.to_string(), DataType::Int8, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        assert_eq!(
            header(&schema),
            SchemaMessage::encode(&schema).expect("encodes").message().header
        );
    }
    assert_eq!(header(&schema(true)), first);
}

#[test]
fn rows_without_columns_are_counted() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).expect("three rows");
    let table = EncodedTable::encode(&batch.schema(), vec![batch]).expect("encodes");
    assert_eq!(read_back(messages(&table)).1[0].num_rows(), 3);
}

proptest! {
    #[test]
    fn whatever_is_written_is_read(batches in prop::collection::vec(prop::collection::vec(any::<Option<i64>>(), 1..50), 0..6)) {
        let batches: Vec<_> = batches.into_iter().map(batch).collect();
        let table = EncodedTable::encode(&schema(true), batches.clone()).expect("encodes");
        let read = read_back(messages(&table)).1;
        prop_assert_eq!(read.len(), batches.len());
        for (read, written) in read.iter().zip(&batches) {
            prop_assert_eq!(read.column(0).to_data(), written.column(0).to_data());
        }
    }
}
