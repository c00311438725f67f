//! Rows of a result as JSON, the first few of them, and the count of all.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, Schema, UInt64Type};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;

use super::query::Column;

/// The schema metadata under which a function sends messages beside its rows.
const MESSAGES: &str = "x-gdc-data-source-messages";

/// What was read so far.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    limit: usize,
    pub(crate) columns: Vec<Column>,
    pub(crate) messages: Vec<Value>,
    pub(crate) kept: Vec<Vec<Value>>,
    pub(crate) count: u64,
}

impl Rows {
    /// Keeps the first `limit` rows and only counts the others.
    pub(crate) fn first(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    pub(crate) fn describe(&mut self, schema: &Schema) {
        self.columns = schema
            .fields()
            .iter()
            .map(|field| Column {
                name: field.name().clone(),
                data_type: field.data_type().to_string(),
            })
            .collect();
        let messages = schema
            .metadata()
            .get(MESSAGES)
            .and_then(|text| serde_json::from_str(text).ok());
        self.messages = messages.unwrap_or_default();
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.count += batch.num_rows() as u64;
        let wanted = batch.num_rows().min(self.limit - self.kept.len());
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| values(&column.slice(0, wanted)))
            .collect::<Result<_, _>>()?;
        self.kept
            .extend((0..wanted).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
        Ok(())
    }
}

/// Numbers and booleans as such, null as null, everything else as text.
fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    match array.data_type() {
        DataType::Boolean => Ok(array.as_boolean().iter().map(Value::from).collect()),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            let integers = cast(array, &DataType::Int64)?;
            Ok(integers.as_primitive::<Int64Type>().iter().map(Value::from).collect())
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            let integers = cast(array, &DataType::UInt64)?;
            Ok(integers.as_primitive::<UInt64Type>().iter().map(Value::from).collect())
        }
        // Not through 64 bits, which would print 0.1 as 0.10000000149011612.
        DataType::Float32 => Ok(array.as_primitive::<Float32Type>().iter().map(float32).collect()),
        DataType::Float64 => Ok(array.as_primitive::<Float64Type>().iter().map(float64).collect()),
        DataType::Dictionary(_, values_type) => values(&cast(array, values_type)?),
        _ => {
            let options = FormatOptions::default().with_display_error(false);
            let formatter = ArrayFormatter::try_new(array, &options)?;
            let text = |row| {
                if array.is_null(row) {
                    Value::Null
                } else {
                    formatter.value(row).to_string().into()
                }
            };
            Ok((0..array.len()).map(text).collect())
        }
    }
}

fn float32(value: Option<f32>) -> Value {
    match value {
        Some(value) if value.is_finite() => value.to_string().parse().map_or(Value::Null, float64_value),
        other => other.map_or(Value::Null, |value| value.to_string().into()),
    }
}

fn float64(value: Option<f64>) -> Value {
    value.map_or(Value::Null, float64_value)
}

/// JSON has no NaN and no infinities: these become text.
fn float64_value(value: f64) -> Value {
    if value.is_finite() {
        Value::from(value)
    } else {
        Value::from(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, DictionaryArray, Float32Array, Float64Array, Int32Array, StringArray, UInt64Array,
    };
    use arrow::datatypes::{Field, Int8Type};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value() {
        let words: DictionaryArray<Int8Type> = [Some("x"), None].into_iter().collect();
        let columns: Vec<(ArrayRef, Value)> = vec![
            (
                Arc::new(BooleanArray::from(vec![Some(true), None])),
                json!([true, null]),
            ),
            (Arc::new(Int32Array::from(vec![-1, 2])), json!([-1, 2])),
            (Arc::new(UInt64Array::from(vec![u64::MAX, 0])), json!([u64::MAX, 0])),
            (
                Arc::new(Float32Array::from(vec![0.1, f32::INFINITY])),
                json!([0.1, "inf"]),
            ),
            (
                Arc::new(Float64Array::from(vec![Some(f64::NAN), None])),
                json!(["NaN", null]),
            ),
            (Arc::new(StringArray::from(vec![Some("a"), None])), json!(["a", null])),
            (
                Arc::new(Date32Array::from(vec![Some(0), None])),
                json!(["1970-01-01", null]),
            ),
            (Arc::new(words), json!(["x", null])),
        ];
        for (array, expected) in columns {
            assert_eq!(Value::from(values(&array).unwrap()), expected, "{}", array.data_type());
        }
    }

    #[test]
    fn keeps_the_first_and_counts_all() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, false)]));
        let mut rows = Rows::first(3);
        for start in [0, 2, 4] {
            let column = Arc::new(Int32Array::from(vec![start, start + 1]));
            rows.add(&RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap())
                .unwrap();
        }
        assert_eq!((rows.count, json!(rows.kept)), (6, json!([[0], [1], [2]])));
    }

    #[test]
    fn reads_the_messages_of_the_function() {
        let message = r#"[{"source":"s","correlation_id":"c","type":"info","data":null}]"#;
        let schema = Schema::empty().with_metadata([(MESSAGES.to_owned(), message.to_owned())]);
        let mut rows = Rows::first(0);
        rows.describe(&schema);
        assert_eq!(rows.messages[0]["source"], "s");
    }
}
