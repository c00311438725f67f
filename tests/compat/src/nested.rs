//! One table with every kind of layout: nested, fixed, decimal, temporal, binary, view, null, a dictionary in a list.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    DurationMillisecondArray, FixedSizeBinaryArray, FixedSizeListArray, Float64Array, Int32Array, Int32Builder,
    LargeStringArray, ListArray, MapBuilder, MapFieldNames, NullArray, RecordBatch, StringArray, StringBuilder,
    StringViewArray, StructArray, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Int16Type, Int32Type, Schema};
use arrow::error::ArrowError;

use crate::sample::Sample;

type Columns = Vec<(&'static str, ArrayRef)>;

/// Three rows: a full one, one of nulls, and one with as little in it as can be.
pub(crate) fn nested() -> Result<Sample, ArrowError> {
    Ok(Sample::new("Nested", batch()?.schema(), || Ok(vec![batch()?])))
}

fn batch() -> Result<RecordBatch, ArrowError> {
    let (names, columns): (Vec<_>, Vec<_>) = columns()?.into_iter().unzip();
    let fields = names
        .iter()
        .zip(&columns)
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)
}

fn columns() -> Result<Columns, ArrowError> {
    Ok(vec![
        ("point", Arc::new(points()?)),
        ("counts", counts()?),
        ("pair", Arc::new(pairs())),
        (
            "amount",
            Arc::new(
                ends(123_450_i128)
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(12, 2)?,
            ),
        ),
        (
            "at",
            Arc::new(
                ends(1_700_000_000_123_456)
                    .collect::<TimestampMicrosecondArray>()
                    .with_timezone("Europe/Prague"),
            ),
        ),
        ("day", Arc::new(ends(20_000).collect::<Date32Array>())),
        (
            "clock",
            Arc::new(ends(3_600_000_000_001).collect::<Time64NanosecondArray>()),
        ),
        ("span", Arc::new(ends(1_500).collect::<DurationMillisecondArray>())),
        ("raw", Arc::new(ends(b"\x00\xff").collect::<BinaryArray>())),
        (
            "code",
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ends(b"abcd"), 4)?),
        ),
        ("long", Arc::new(ends("long text").collect::<LargeStringArray>())),
        (
            "view",
            Arc::new(StringViewArray::from(vec![
                Some("a text of more than twelve bytes"),
                None,
                Some("short"),
            ])),
        ),
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        ),
        ("nothing", Arc::new(NullArray::new(3))),
        ("regions", Arc::new(regions()?)),
    ])
}

/// The same value in the first row and in the last.
fn ends<T: Copy>(value: T) -> impl Iterator<Item = Option<T>> {
    [Some(value), None, Some(value)].into_iter()
}

fn no_middle() -> NullBuffer {
    NullBuffer::from(vec![true, false, true])
}

fn points() -> Result<StructArray, ArrowError> {
    let tags = ListArray::try_new(
        Arc::new(Field::new_list_field(DataType::Utf8, true)),
        OffsetBuffer::from_lengths([2, 0, 0]),
        Arc::new(StringArray::from(vec![Some("a"), None])),
        Some(no_middle()),
    )?;
    let fields = Fields::from(vec![
        Field::new("x", DataType::Float64, true),
        Field::new("tags", DataType::new_list(DataType::Utf8, true), true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float64Array::from(vec![Some(1.5), None, None])),
        Arc::new(tags),
    ];
    StructArray::try_new(fields, columns, Some(no_middle()))
}

fn counts() -> Result<ArrayRef, ArrowError> {
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut counts = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
    counts.keys().append_value("one");
    counts.values().append_value(1);
    counts.keys().append_value("none");
    counts.values().append_null();
    counts.append(true)?;
    counts.append(false)?;
    counts.append(true)?;
    Ok(Arc::new(counts.finish()))
}

fn pairs() -> FixedSizeListArray {
    let pair = [Some(1), Some(2)];
    FixedSizeListArray::from_iter_primitive::<Int16Type, _, _>(ends(pair), 2)
}

fn regions() -> Result<ListArray, ArrowError> {
    let names = Arc::new(StringArray::from(vec!["EMEA", "APAC"]));
    let items = DictionaryArray::<Int32Type>::try_new(Int32Array::from(vec![0, 1, 0]), names)?;
    ListArray::try_new(
        Arc::new(Field::new_list_field(items.data_type().clone(), true)),
        OffsetBuffer::from_lengths([3, 0, 0]),
        Arc::new(items),
        Some(no_middle()),
    )
}
