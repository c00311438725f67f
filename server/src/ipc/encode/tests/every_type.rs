//! Arrays of every type, nested too, sliced at any place.

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Int32Array, Int64Array, IntervalDayTimeArray,
    IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeListArray, LargeListViewArray, ListArray, ListViewArray,
    MapArray, NullArray, RunArray, StructArray, UnionArray, make_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int32Type, IntervalDayTime, IntervalMonthDayNano, IntervalUnit, TimeUnit,
    UnionFields, UnionMode,
};
use proptest::prelude::*;

use super::*;

/// Every type without children.
fn flat_types() -> Vec<DataType> {
    use DataType::*;
    let timezone = || Some("Europe/Prague".into());
    vec![
        Null,
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Decimal32(9, 2),
        Decimal64(18, 2),
        Decimal128(38, 2),
        Decimal256(76, 2),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time64(TimeUnit::Nanosecond),
        Timestamp(TimeUnit::Microsecond, None),
        Timestamp(TimeUnit::Nanosecond, timezone()),
        Duration(TimeUnit::Millisecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(3),
        Dictionary(Box::new(Int32), Box::new(Utf8)),
        Dictionary(Box::new(Int8), Box::new(Int64)),
    ]
}

fn child(data_type: &DataType) -> FieldRef {
    Arc::new(Field::new("item", data_type.clone(), true))
}

/// Every type with children of a type.
fn types_around(inner: &DataType) -> Vec<DataType> {
    let fields = Fields::from(vec![
        Field::new("a", inner.clone(), true),
        Field::new("b", DataType::Boolean, true),
    ]);
    let entries = Fields::from(vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", inner.clone(), true),
    ]);
    let members = || {
        UnionFields::from_fields(vec![
            Field::new("a", inner.clone(), true),
            Field::new("b", DataType::Int64, true),
        ])
    };
    vec![
        DataType::List(child(inner)),
        DataType::LargeList(child(inner)),
        DataType::ListView(child(inner)),
        DataType::LargeListView(child(inner)),
        DataType::FixedSizeList(child(inner), 2),
        DataType::Struct(fields),
        DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false),
        DataType::Union(members(), UnionMode::Sparse),
        DataType::Union(members(), UnionMode::Dense),
        DataType::RunEndEncoded(Arc::new(Field::new("run_ends", DataType::Int32, false)), {
            Arc::new(Field::new("values", inner.clone(), true))
        }),
    ]
}

/// So many numbers, every third missing.
fn numbers(rows: usize) -> Int64Array {
    (0_i64..)
        .take(rows)
        .map(|row| (row % 3 != 1).then_some(row % 100))
        .collect()
}

fn nulls(rows: usize) -> Option<NullBuffer> {
    (rows > 0).then(|| (0..rows).map(|row| row % 4 != 2).collect::<Vec<_>>().into())
}

/// Lists of no, one and two items in turn.
fn lengths(rows: usize) -> Vec<usize> {
    (0..rows).map(|row| row % 3).collect()
}

fn i32s(values: impl IntoIterator<Item = usize>) -> ScalarBuffer<i32> {
    values
        .into_iter()
        .map(|value| i32::try_from(value).expect("small"))
        .collect()
}

fn i64s(values: impl IntoIterator<Item = usize>) -> ScalarBuffer<i64> {
    values
        .into_iter()
        .map(|value| i64::try_from(value).expect("small"))
        .collect()
}

/// Where the items of views begin: the last list has the first items.
fn backwards(lengths: &[usize]) -> Vec<usize> {
    (0..lengths.len()).map(|row| lengths[row + 1..].iter().sum()).collect()
}

#[expect(clippy::too_many_lines, reason = "one arm for each type")]
fn array(data_type: &DataType, rows: usize) -> ArrayRef {
    let item_lengths = lengths(rows);
    let items = |field: &FieldRef| array(field.data_type(), item_lengths.iter().sum());
    match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => Arc::new(
            numbers(rows)
                .iter()
                .map(|n| n.map(|n| n % 2 == 0))
                .collect::<BooleanArray>(),
        ),
        DataType::Interval(IntervalUnit::YearMonth) => Arc::new(
            (0..rows)
                .map(|row| i32::try_from(row).ok().filter(|row| row % 3 != 1))
                .collect::<IntervalYearMonthArray>(),
        ),
        DataType::Interval(IntervalUnit::DayTime) => Arc::new(IntervalDayTimeArray::from_iter_values(
            (0..rows).map(|_| IntervalDayTime::new(1, 2)),
        )),
        DataType::Interval(IntervalUnit::MonthDayNano) => Arc::new(IntervalMonthDayNanoArray::from_iter_values(
            (0_i64..).take(rows).map(|row| IntervalMonthDayNano::new(1, 2, row)),
        )),
        DataType::FixedSizeBinary(width) => {
            let values = (0..rows).map(|row| (row % 3 != 1).then(|| [u8::try_from(row % 256).expect("a byte"); 3]));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, *width).expect("three bytes"))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(&array(&DataType::Utf8, rows), data_type).expect("text is bytes")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts: arrow::array::StringArray = numbers(rows)
                .iter()
                .map(|n| n.map(|n| "text ".repeat(usize::try_from(n % 7).expect("not negative"))))
                .collect();
            cast(&texts, data_type).expect("text is text")
        }
        DataType::Dictionary(keys, values) => {
            let values = array(values, 5);
            let indexes: Int32Array = (0..rows)
                .map(|row| (row % 3 != 1).then_some(i32::try_from(row % 5).expect("small")))
                .collect();
            let indexes = cast(&indexes, keys).expect("small");
            let data = indexes
                .to_data()
                .into_builder()
                .data_type(data_type.clone())
                .child_data(vec![values.to_data()]);
            make_array(data.build().expect("keys and values"))
        }
        DataType::List(field) => Arc::new(ListArray::new(
            field.clone(),
            OffsetBuffer::from_lengths(item_lengths.iter().copied()),
            items(field),
            nulls(rows),
        )),
        DataType::LargeList(field) => Arc::new(LargeListArray::new(
            field.clone(),
            OffsetBuffer::from_lengths(item_lengths.iter().copied()),
            items(field),
            nulls(rows),
        )),
        DataType::ListView(field) => Arc::new(ListViewArray::new(
            field.clone(),
            i32s(backwards(&item_lengths)),
            i32s(item_lengths.iter().copied()),
            items(field),
            nulls(rows),
        )),
        DataType::LargeListView(field) => Arc::new(LargeListViewArray::new(
            field.clone(),
            i64s(backwards(&item_lengths)),
            i64s(item_lengths.iter().copied()),
            items(field),
            nulls(rows),
        )),
        DataType::FixedSizeList(field, size) => Arc::new(FixedSizeListArray::new(
            field.clone(),
            *size,
            array(field.data_type(), rows * 2),
            nulls(rows),
        )),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|field| array(field.data_type(), rows)).collect();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls(rows), rows).expect("columns"))
        }
        DataType::Map(field, sorted) => {
            let DataType::Struct(fields) = field.data_type() else {
                unreachable!("maps have entries")
            };
            let entries = item_lengths.iter().sum();
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values(
                (0..entries).map(|entry| format!("key {entry}")),
            ));
            let entries = StructArray::new(fields.clone(), vec![keys, array(fields[1].data_type(), entries)], None);
            let offsets = OffsetBuffer::from_lengths(item_lengths.iter().copied());
            Arc::new(MapArray::new(field.clone(), offsets, entries, nulls(rows), *sorted))
        }
        DataType::Union(fields, mode) => {
            let types = (0..rows)
                .map(|row| i8::try_from(row % 2).expect("two members"))
                .collect::<ScalarBuffer<i8>>();
            let offsets = (*mode == UnionMode::Dense).then(|| i32s((0..rows).map(|row| row / 2)));
            let children = fields.iter().map(|(_, field)| array(field.data_type(), rows)).collect();
            Arc::new(UnionArray::try_new(fields.clone(), types, offsets, children).expect("a union"))
        }
        DataType::RunEndEncoded(_, field) => {
            let ends: Int32Array = i32s((1..=rows.div_ceil(2)).map(|run| (run * 2).min(rows)))
                .iter()
                .copied()
                .map(Some)
                .collect();
            let values = array(field.data_type(), ends.len());
            Arc::new(RunArray::<Int32Type>::try_new(&ends, &values).expect("runs"))
        }
        DataType::Time32(_) => {
            let numbers = cast(&numbers(rows), &DataType::Int32).expect("small");
            cast(&numbers, data_type).expect("made of numbers")
        }
        _ => cast(&numbers(rows), data_type).expect("made of numbers"),
    }
}

fn schema_of(data_type: &DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("column", data_type.clone(), true)]))
}

fn has_views_in_runs(data_type: &DataType) -> bool {
    let text = format!("{data_type:?}");
    text.split_once("RunEndEncoded")
        .is_some_and(|(_, inner)| inner.contains("Utf8View") || inner.contains("BinaryView"))
}

/// Whether a column that is cut out of a larger one is read as it was written.
fn check(data_type: &DataType, rows: usize, cuts: [usize; 2]) {
    let schema = schema_of(data_type);
    if has_views_in_runs(data_type) {
        SchemaMessage::encode(&schema).expect_err("not sent rather than sent wrong");
        return;
    }
    let whole = array(data_type, rows);
    let (from, to) = (cuts[0].min(cuts[1]) % (rows + 1), cuts[0].max(cuts[1]) % (rows + 1));
    let (from, to) = (from.min(to), from.max(to));
    let slices = [whole.slice(from, to - from), whole.slice(0, from), whole.clone()];
    let batches = slices.map(|column| RecordBatch::try_new(schema.clone(), vec![column]).expect("one column"));
    let mut encoder = BatchEncoder::new(schema.clone()).expect("every type can be sent");
    let mut messages = vec![encoder.schema().message()];
    for batch in &batches {
        messages.extend(encoder.encode(batch).expect("encodes"));
    }
    let (read_schema, read) = read_back(messages.clone());
    assert_eq!(read_schema, schema);
    let mut decoder = Decoder::new(Additions::Refused);
    let rows_of = messages
        .iter()
        .map(|message| decoder.decode(&message.header, &message.body));
    let ours: Vec<_> = rows_of
        .filter_map(|rows| rows.expect("what we write, we read"))
        .collect();
    assert_eq!(ours, read, "{data_type}");
    for (read, written) in read.iter().zip(&batches) {
        assert_eq!(
            read.column(0),
            written.column(0),
            "{data_type}, rows {from} to {to} of {rows}"
        );
    }
    assert_eq!(read.len(), batches.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn flat_columns_are_read_as_they_were_written(rows in 0_usize..150, cuts: [usize; 2]) {
        for data_type in flat_types() {
            check(&data_type, rows, cuts);
        }
    }

    #[test]
    fn nested_columns_too(rows in 0_usize..50, cuts: [usize; 2]) {
        for data_type in flat_types().iter().flat_map(types_around) {
            check(&data_type, rows, cuts);
        }
    }

    #[test]
    fn and_those_nested_twice(rows in 0_usize..30, cuts: [usize; 2], which in 0_usize..36) {
        for data_type in types_around(&flat_types()[which]).iter().flat_map(types_around) {
            check(&data_type, rows, cuts);
        }
    }

    #[test]
    fn a_column_that_is_kept_is_the_same(rows in 0_usize..5_000, cuts: [usize; 2]) {
        for data_type in flat_types() {
            let whole = array(&data_type, rows);
            let from = cuts[0] % (rows + 1);
            let column = whole.slice(from, cuts[1] % (rows - from + 1));
            let batch = RecordBatch::try_from_iter_with_nullable([("column", column, true)]).expect("one column");
            let table = EncodedTable::encode(&batch.schema(), vec![batch.clone()]).expect("encodes");
            let (_, read) = read_back(messages(&table));
            let expected = (batch.num_rows() > 0).then_some(batch);
            prop_assert_eq!(read, Vec::from_iter(expected));
        }
    }
}

#[test]
fn silence_has_a_batch_of_every_type() {
    let flat = flat_types();
    let types = flat.iter().flat_map(types_around).chain(flat.clone());
    for data_type in types.filter(|data_type| !has_views_in_runs(data_type)) {
        let schema = schema_of(&data_type);
        let mut encoder = BatchEncoder::new(schema.clone()).expect("every type can be sent");
        let messages: Vec<_> = encoder
            .encode(&RecordBatch::new_empty(schema))
            .expect("encodes")
            .collect();
        let (_, read) = read_back([encoder.schema().message()].into_iter().chain(messages));
        assert_eq!(read.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [0]);
    }
}
