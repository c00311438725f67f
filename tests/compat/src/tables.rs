//! Functions that return tables: one shape of data each.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int8Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde_json::json;

use crate::sample::Sample;

const MESSAGES: &str = concat!(
    r#"[{"source":"src","correlation_id":"cid","type":"info","data":{"x":1}},"#,
    r#"{"source":"s2","correlation_id":"c2","type":"warn","data":null}]"#
);

/// In the order of the Python module.
pub(crate) fn all() -> [Sample; 10] {
    let metadata = json!({"description": "three rows", "tags": ["a", 1, null], "nested": {"ünïcode": true}});
    [
        Sample::new("Table", rows(), table).with_metadata(metadata),
        Sample::new("EmptyTable", rows(), || Ok(Vec::new())),
        Sample::new("Chunks", id(), || chunks(&[1..3, 3..4, 4..7])),
        Sample::new("EmptyChunks", id(), || chunks(&[1..2, 2..2, 2..4])),
        Sample::new("Sliced", sliced_schema(), sliced),
        Sample::new("Large", id(), || Ok(vec![numbers(0..1_000_000)?])),
        Sample::new("Dictionary", colour(), || {
            colours(&[
                (&["red", "green"], &[Some(0), Some(1), None]),
                (&["red", "green"], &[Some(1)]),
            ])
        }),
        Sample::new("ChangingDictionary", colour(), || {
            colours(&[
                (&["red", "green"], &[Some(0), Some(1), None]),
                (&["blue"], &[Some(0), Some(0)]),
            ])
        }),
        Sample::new(
            "Messages",
            Arc::new(Schema::new(vec![Field::new("price", DataType::Int64, true)])),
            messages,
        ),
        Sample::new("OtherSchema", id(), other_schema),
    ]
}

/// The schema of one column with numbers.
pub(crate) fn id() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

/// The schema of one dictionary column.
pub(crate) fn colour() -> SchemaRef {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![Field::new("colour", dictionary, true)]))
}

/// Batches of a dictionary column, each with the values of its dictionary and the indices into it.
pub(crate) fn colours(batches: &[(&[&str], &[Option<i8>])]) -> Result<Vec<RecordBatch>, ArrowError> {
    let batches = batches.iter().map(|(values, indices)| {
        let values = StringArray::from_iter_values(*values);
        let column = DictionaryArray::<Int8Type>::try_new(Int8Array::from(indices.to_vec()), Arc::new(values))?;
        RecordBatch::try_new(colour(), vec![Arc::new(column)])
    });
    batches.collect()
}

/// A batch of consecutive numbers.
pub(crate) fn numbers(range: std::ops::Range<i64>) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new(id(), vec![Arc::new(Int64Array::from_iter_values(range))])
}

fn chunks(ranges: &[std::ops::Range<i64>]) -> Result<Vec<RecordBatch>, ArrowError> {
    ranges.iter().cloned().map(numbers).collect()
}

fn rows() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8, true),
        Field::new("ratio", DataType::Float64, true),
    ]))
}

fn table() -> Result<Vec<RecordBatch>, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec![Some("one"), None, Some("tři")])),
        Arc::new(Float64Array::from(vec![Some(0.5), None, Some(-1.0)])),
    ];
    Ok(vec![RecordBatch::try_new(rows(), columns)?])
}

fn sliced_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("even", DataType::Boolean, true),
        Field::new("list", DataType::new_list(DataType::Int64, true), true),
    ]))
}

/// A window into longer arrays, so that nothing begins at offset 0.
fn sliced() -> Result<Vec<RecordBatch>, ArrowError> {
    let repeated = |row: i64| usize::try_from(row % 3).unwrap_or_default();
    let items = Int64Array::from_iter_values((0..20).flat_map(|row| std::iter::repeat_n(row, repeated(row))));
    let list = ListArray::try_new(
        Arc::new(Field::new_list_field(DataType::Int64, true)),
        OffsetBuffer::from_lengths((0..20).map(repeated)),
        Arc::new(items),
        None,
    )?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..20)),
        Arc::new(StringArray::from_iter_values((0..20).map(|row| format!("row {row}")))),
        Arc::new((0..20).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(list),
    ];
    Ok(vec![RecordBatch::try_new(sliced_schema(), columns)?.slice(11, 5)])
}

fn messages() -> Result<Vec<RecordBatch>, ArrowError> {
    let unit = HashMap::from([("unit", "EUR")].map(owned));
    let metadata = HashMap::from([("origin", "compat"), ("x-gdc-data-source-messages", MESSAGES)].map(owned));
    let schema =
        Schema::new(vec![Field::new("price", DataType::Int64, true).with_metadata(unit)]).with_metadata(metadata);
    Ok(vec![RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(Int64Array::from(vec![7]))],
    )?])
}

fn other_schema() -> Result<Vec<RecordBatch>, ArrowError> {
    let schema = Schema::new(vec![Field::new("text", DataType::Utf8, true)])
        .with_metadata(HashMap::from([("origin", "call")].map(owned)));
    Ok(vec![RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(StringArray::from(vec!["really"]))],
    )?])
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}
