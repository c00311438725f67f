//! The tables that the functions of both servers return, so that both send the same bytes of data.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

/// Rows of `Tiny`, and of what `Cpu` and `Sleep` return.
pub const TINY_ROWS: i64 = 10;
/// Batches of `Wide`: 258 MiB in 12 columns.
pub const WIDE_BATCHES: i64 = 39;
/// Rows of each of them.
pub const WIDE_BATCH_ROWS: i64 = 65_536;
/// Batches of a `SmallBatches` stream.
pub const SMALL_BATCHES: i64 = 100;
/// Rows of each of them.
pub const SMALL_BATCH_ROWS: i64 = 100;

const EPOCH_MICROSECONDS: i64 = 1_700_000_000_000_000;

/// The four columns of small results.
#[must_use]
pub fn tiny_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("amount", DataType::Float64, false),
        Field::new("region", DataType::Utf8, false),
        Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), false),
    ]))
}

/// The rows from `first` on, as [`tiny_schema`] has them.
pub fn tiny(first: i64, rows: i64) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        integers(first..first + rows, 1),
        decimals(first..first + rows, 1),
        texts(first..first + rows),
        times(first..first + rows),
    ];
    RecordBatch::try_new(tiny_schema(), columns)
}

/// The twelve columns of `Wide`.
#[must_use]
pub fn wide_schema() -> SchemaRef {
    let integers = (1..=4).map(|n| Field::new(format!("count{n}"), DataType::Int64, false));
    let decimals = (1..=4).map(|n| Field::new(format!("amount{n}"), DataType::Float64, false));
    let times =
        ["ordered", "delivered"].map(|name| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), false));
    let rest = [
        Field::new("day", DataType::Date32, false),
        Field::new("customer", DataType::Utf8, false),
    ];
    Arc::new(Schema::new(
        integers.chain(decimals).chain(times).chain(rest).collect::<Vec<_>>(),
    ))
}

/// All of `Wide`; every batch has memory of its own, so that sending it reads all of it.
pub fn wide() -> Result<Vec<RecordBatch>, ArrowError> {
    (0..WIDE_BATCHES).map(wide_batch).collect()
}

fn wide_batch(index: i64) -> Result<RecordBatch, ArrowError> {
    let rows = index * WIDE_BATCH_ROWS..(index + 1) * WIDE_BATCH_ROWS;
    let mut columns: Vec<ArrayRef> = Vec::new();
    columns.extend((1..=4).map(|factor| integers(rows.clone(), factor)));
    columns.extend((1..=4).map(|factor| decimals(rows.clone(), factor)));
    columns.extend([times(rows.clone()), times(rows.clone())]);
    columns.push(Arc::new(Date32Array::from_iter_values(
        rows.clone().map(|row| i32::try_from(row % 20_000).unwrap_or(0)),
    )));
    columns.push(texts(rows));
    RecordBatch::try_new(wide_schema(), columns)
}

/// Writes `Wide` as an Arrow IPC stream, for the Python functions.
pub fn write_wide(path: &Path) -> Result<(), ArrowError> {
    let mut writer = StreamWriter::try_new(BufWriter::new(File::create(path)?), &wide_schema())?;
    for batch in wide()? {
        writer.write(&batch)?;
    }
    writer.finish()
}

/// The one column of `Blob`.
#[must_use]
pub fn blob_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("value", DataType::Int64, false)]))
}

/// Rows of one MiB of `Blob`.
pub const BLOB_ROWS_PER_MIB: i64 = 131_072;

/// One MiB of `Blob`: numbers that tell which blob they belong to and where.
pub fn blob(seed: i64, index: i64) -> Result<RecordBatch, ArrowError> {
    let first = seed * 1_000_000_000 + index * BLOB_ROWS_PER_MIB;
    let values = Int64Array::from_iter_values(first..first + BLOB_ROWS_PER_MIB);
    RecordBatch::try_new(blob_schema(), vec![Arc::new(values)])
}

type Rows = std::ops::Range<i64>;

fn integers(rows: Rows, factor: i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.map(|row| row * factor)))
}

#[expect(clippy::cast_precision_loss, reason = "amounts need not be exact")]
fn decimals(rows: Rows, factor: i64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(
        rows.map(|row| row as f64 * factor as f64 / 7.0),
    ))
}

fn times(rows: Rows) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(
        rows.map(|row| EPOCH_MICROSECONDS + row),
    ))
}

fn texts(rows: Rows) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        rows.map(|row| format!("customer-{row:09}")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_is_258_mib() {
        let batch = wide_batch(3).unwrap();
        let bytes: usize = batch
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap())
            .sum();
        let mib = bytes * usize::try_from(WIDE_BATCHES).unwrap() / (1 << 20);
        assert_eq!((batch.num_columns(), mib), (12, 258));
    }
}
