//! Columns of every type, with values and nulls that an input chooses, cut out of longer ones.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeBinaryArray, FixedSizeListArray,
    Float64Array, Int8Array, Int32Array, Int64Array, LargeListArray, ListArray, ListViewArray, MapArray, NullArray,
    RunArray, StringArray, StructArray, UnionArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int8Type, Int32Type, Schema, SchemaRef, TimeUnit, UnionFields, UnionMode,
};

use super::dice::Dice;

/// Columns of a table at most.
const COLUMNS: usize = 5;

/// How deep types are nested at most.
const DEPTH: usize = 3;

/// Rows at most before those that a column shows, and after.
const HIDDEN: usize = 9;

/// Items of a list, bytes of a text at most.
const ITEMS: usize = 4;

/// Bytes of a text at most: longer ones than a view holds itself.
const TEXT: usize = 20;

pub(super) fn schema(dice: &mut Dice<'_>) -> SchemaRef {
    let columns = (0..dice.below(COLUMNS)).map(|index| Field::new(format!("c{index}"), data_type(dice, DEPTH), true));
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

fn data_type(dice: &mut Dice<'_>, depth: usize) -> DataType {
    const FLAT: usize = 16;
    const NESTED: usize = 10;
    match dice.below(if depth > 0 { FLAT + NESTED } else { FLAT }) {
        0 => DataType::Null,
        1 => DataType::Boolean,
        2 => DataType::Int8,
        3 => DataType::Int64,
        4 => DataType::Float64,
        5 => DataType::Decimal128(38, 2),
        6 => DataType::Date32,
        7 => DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Prague".into())),
        8 => DataType::Utf8,
        9 => DataType::LargeUtf8,
        10 => DataType::Utf8View,
        11 => DataType::Binary,
        12 => DataType::BinaryView,
        13 => DataType::FixedSizeBinary(3),
        14 => DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        15 => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Int64)),
        16 => DataType::List(item(dice, depth)),
        17 => DataType::LargeList(item(dice, depth)),
        18 => DataType::ListView(item(dice, depth)),
        19 => DataType::FixedSizeList(item(dice, depth), 2),
        20 => DataType::Struct(Fields::from(vec![item(dice, depth), named("other", dice, depth)])),
        21 => {
            let key = Arc::new(Field::new("keys", DataType::Utf8, false));
            let entries = Fields::from(vec![key, named("values", dice, depth)]);
            DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
        }
        kind @ (22 | 23) => {
            let members = UnionFields::from_fields([item(dice, depth), named("other", dice, depth)]);
            let mode = if kind == 22 {
                UnionMode::Sparse
            } else {
                UnionMode::Dense
            };
            DataType::Union(members, mode)
        }
        _ => {
            let ends = Arc::new(Field::new("run_ends", DataType::Int32, false));
            DataType::RunEndEncoded(ends, named("values", dice, depth))
        }
    }
}

fn item(dice: &mut Dice<'_>, depth: usize) -> FieldRef {
    named("item", dice, depth)
}

fn named(name: &str, dice: &mut Dice<'_>, depth: usize) -> FieldRef {
    Arc::new(Field::new(name, data_type(dice, depth - 1), true))
}

/// So many values of a type.
pub(super) fn column(dice: &mut Dice<'_>, data_type: &DataType, rows: usize) -> ArrayRef {
    let [before, after] = [(); 2].map(|()| dice.below(HIDDEN));
    let longer = values(dice, data_type, before + rows + after);
    longer.slice(before, rows)
}

fn values(dice: &mut Dice<'_>, data_type: &DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let values = (0..rows).map(|_| [Some(true), Some(false), None][dice.below(3)]);
            Arc::new(values.collect::<BooleanArray>())
        }
        DataType::Float64 => {
            let values = (0..rows).map(|_| dice.coin().then(|| f64::from_le_bytes(dice.array())));
            Arc::new(values.collect::<Float64Array>())
        }
        DataType::FixedSizeBinary(width) => {
            let values: Vec<[u8; 3]> = (0..rows).map(|_| dice.array()).collect();
            let values = FixedSizeBinaryArray::new(*width, values.concat().into(), nulls(dice, rows));
            Arc::new(values)
        }
        DataType::Binary | DataType::BinaryView => {
            let values: Vec<_> = (0..rows).map(|_| bytes(dice)).collect();
            cast(&BinaryArray::from_opt_vec(values), data_type).expect("bytes")
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let values = (0..rows).map(|_| bytes(dice).map(String::from_utf8_lossy));
            cast(&values.collect::<StringArray>(), data_type).expect("text")
        }
        DataType::Dictionary(key, value) => {
            let values = column(dice, value, 5);
            let keys: Int8Array = (0..rows).map(|_| dice.coin().then(|| key_of(dice))).collect();
            if **key == DataType::Int8 {
                Arc::new(DictionaryArray::<Int8Type>::new(keys, values))
            } else {
                let keys = keys.iter().map(|key| key.map(i32::from)).collect();
                Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
            }
        }
        DataType::List(item) => {
            let (offsets, items) = lists(dice, item, rows);
            Arc::new(ListArray::new(item.clone(), offsets, items, nulls(dice, rows)))
        }
        DataType::LargeList(item) => {
            let lengths: Vec<_> = (0..rows).map(|_| dice.below(ITEMS)).collect();
            let items = column(dice, item.data_type(), lengths.iter().sum());
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(LargeListArray::new(item.clone(), offsets, items, nulls(dice, rows)))
        }
        DataType::ListView(item) => {
            let items = column(dice, item.data_type(), 2 * ITEMS);
            let begins: ScalarBuffer<i32> = (0..rows).map(|_| small(dice, ITEMS)).collect();
            let lengths = (0..rows).map(|_| small(dice, ITEMS)).collect();
            Arc::new(ListViewArray::new(
                item.clone(),
                begins,
                lengths,
                items,
                nulls(dice, rows),
            ))
        }
        DataType::FixedSizeList(item, length) => {
            let items = column(dice, item.data_type(), 2 * rows);
            Arc::new(FixedSizeListArray::new(item.clone(), *length, items, nulls(dice, rows)))
        }
        DataType::Struct(fields) => {
            let members = fields
                .iter()
                .map(|field| column(dice, field.data_type(), rows))
                .collect();
            Arc::new(StructArray::new(fields.clone(), members, nulls(dice, rows)))
        }
        DataType::Map(entries, sorted) => map(dice, entries, *sorted, rows),
        DataType::Union(members, mode) => {
            let types: ScalarBuffer<i8> = (0..rows).map(|_| i8::from(dice.coin())).collect();
            let offsets = matches!(mode, UnionMode::Dense).then(|| places(&types));
            let children = members.iter().map(|(_, field)| column(dice, field.data_type(), rows));
            let children = children.collect();
            Arc::new(UnionArray::try_new(members.clone(), types, offsets, children).expect("a union"))
        }
        DataType::RunEndEncoded(_, value) => {
            let ends = (1..=rows).filter(|end| *end == rows || dice.coin());
            let ends: Int32Array = ends.map(|end| i32::try_from(end).ok()).collect();
            let values = column(dice, value.data_type(), ends.len());
            Arc::new(RunArray::<Int32Type>::try_new(&ends, &values).expect("runs"))
        }
        _ => {
            let numbers = (0..rows).map(|_| dice.coin().then(|| i64::from(i8::from_le_bytes(dice.array()))));
            cast(&numbers.collect::<Int64Array>(), data_type).expect("made of numbers")
        }
    }
}

fn map(dice: &mut Dice<'_>, entries: &FieldRef, sorted: bool, rows: usize) -> ArrayRef {
    let DataType::Struct(fields) = entries.data_type() else {
        unreachable!("the entries of a map are structs")
    };
    let lengths: Vec<_> = (0..rows).map(|_| dice.below(ITEMS)).collect();
    let count = lengths.iter().sum();
    let keys: StringArray = (0..count).map(|key| Some(key.to_string())).collect();
    let values = column(dice, fields[1].data_type(), count);
    let pairs = StructArray::new(fields.clone(), vec![Arc::new(keys), values], None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = nulls(dice, rows);
    Arc::new(MapArray::new(entries.clone(), offsets, pairs, nulls, sorted))
}

fn lists(dice: &mut Dice<'_>, item: &FieldRef, rows: usize) -> (OffsetBuffer<i32>, ArrayRef) {
    let lengths: Vec<_> = (0..rows).map(|_| dice.below(ITEMS)).collect();
    let items = column(dice, item.data_type(), lengths.iter().sum());
    (OffsetBuffer::from_lengths(lengths), items)
}

/// Where the values of a dense union are among those of their type: one after the other.
fn places(types: &[i8]) -> ScalarBuffer<i32> {
    let mut next = [0; 2];
    let place = |&kind: &i8| {
        let next = &mut next[usize::from(kind == 1)];
        *next += 1;
        *next - 1
    };
    types.iter().map(place).collect()
}

fn bytes<'i>(dice: &mut Dice<'i>) -> Option<&'i [u8]> {
    let length = dice.below(TEXT);
    dice.coin().then(|| dice.bytes(length))
}

fn key_of(dice: &mut Dice<'_>) -> i8 {
    i8::try_from(dice.below(5)).unwrap_or_default()
}

fn small(dice: &mut Dice<'_>, limit: usize) -> i32 {
    i32::try_from(dice.below(limit)).unwrap_or_default()
}

fn nulls(dice: &mut Dice<'_>, rows: usize) -> Option<NullBuffer> {
    dice.coin()
        .then(|| (0..rows).map(|_| dice.coin()).collect::<Vec<_>>().into())
}
