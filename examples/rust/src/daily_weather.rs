//! The weather of Seattle, day by day from 2012 to 2015: a function that applies the filters of a report.

use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, RecordBatch, StringArray};
use arrow::compute::kernels::cast_utils::Parser as _;
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use flexconnect_server::function::context::DateRange;
use flexconnect_server::{
    Call, ExecutionContext, FlexConnectFunction, FunctionError, LoadContext, Output, async_trait,
};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use crate::filters;
use crate::tables::read_csv;

/// The date data set whose filters apply to the column `date`.
const DATE_DATASET: &str = "date";

/// One row a day. Filters on `weather`, date ranges on `date` and the columns that GoodData will read are applied here,
/// so that only what a report needs travels.
#[derive(Debug, Default)]
pub(crate) struct DailyWeather {
    days: OnceLock<RecordBatch>,
}

#[async_trait]
impl FlexConnectFunction for DailyWeather {
    fn name(&self) -> &'static str {
        "DailyWeather"
    }

    fn schema(&self) -> SchemaRef {
        columns(DataType::Date32)
    }

    fn metadata(&self) -> Option<Value> {
        Some(json!({"description": "The weather of Seattle, one row a day"}))
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        let read = read_csv(context, "seattle-weather.csv", &columns(DataType::Utf8))?;
        let mut arrays = read.columns().to_vec();
        arrays[0] = days_of(read.column(0))?;
        let days = RecordBatch::try_new(self.schema(), arrays)?;
        self.days.get_or_init(|| days);
        Ok(())
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let days = self
            .days
            .get()
            .ok_or_else(|| FunctionError::failed("the weather is not loaded"))?;
        let filtered = match call.execution_context()? {
            Some(context) => filter_record_batch(days, &wanted_rows(days, &context)?)?,
            None => days.clone(),
        };
        Ok(Output::from(project(&filtered, call.columns.as_ref())?))
    }
}

/// The columns of the table, with the type that `date` has.
fn columns(date: DataType) -> SchemaRef {
    let number = |name| Field::new(name, DataType::Float64, true);
    Arc::new(Schema::new(vec![
        Field::new("date", date, false),
        number("precipitation"),
        number("temp_max"),
        number("temp_min"),
        number("wind"),
        Field::new("weather", DataType::Utf8, true),
    ]))
}

/// The file writes dates as `2012/01/31`.
fn days_of(texts: &ArrayRef) -> Result<ArrayRef, FunctionError> {
    let days = strings(texts)?
        .iter()
        .map(|text| text.and_then(|text| Date32Type::parse_formatted(text, "%Y/%m/%d")))
        .collect::<Date32Array>();
    Ok(Arc::new(days))
}

/// The rows that every filter of the report lets through.
fn wanted_rows(days: &RecordBatch, context: &ExecutionContext) -> Result<BooleanArray, FunctionError> {
    let weather = strings(days.column(5))?;
    let mut wanted = match context.date_range(DATE_DATASET)? {
        Some(range) => days_in(days.column(0), range)?,
        None => BooleanArray::from(vec![true; days.num_rows()]),
    };
    for filter in &context.filters {
        wanted = and(&wanted, &filters::keeps(filter, "weather", weather))?;
    }
    Ok(wanted)
}

fn days_in(days: &ArrayRef, range: DateRange) -> Result<BooleanArray, FunctionError> {
    let days = days
        .as_any()
        .downcast_ref::<Date32Array>()
        .ok_or_else(|| FunctionError::failed("`date` is no date"))?;
    Ok(days
        .iter()
        .map(|day| day.map(|day| range.contains(civil(day).at(0, 0, 0, 0))))
        .collect())
}

/// Arrow counts days from 1970.
fn civil(days: i32) -> Date {
    date(1970, 1, 1).saturating_add(days.days())
}

fn strings(array: &ArrayRef) -> Result<&StringArray, FunctionError> {
    array
        .as_any()
        .downcast_ref()
        .ok_or_else(|| FunctionError::failed("a column of text has another type"))
}

/// Only the columns that will be read, in their own order; all of them when the hint names none of ours.
fn project(rows: &RecordBatch, hint: Option<&Value>) -> Result<RecordBatch, FunctionError> {
    let named = |name: &str| {
        hint.and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|hint| hint == name))
    };
    let schema = rows.schema();
    let wanted: Vec<usize> = (0..schema.fields().len())
        .filter(|&index| named(schema.field(index).name()))
        .collect();
    if wanted.is_empty() {
        Ok(rows.clone())
    } else {
        Ok(rows.project(&wanted)?)
    }
}

/// A context to load with: the tables that `tests/setup data` fetched.
#[cfg(test)]
pub(crate) fn test_context() -> LoadContext {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
    let settings = serde_json::Map::from_iter([("weather".to_owned(), json!({"data": folder}))]);
    LoadContext::new(settings, "grpc://localhost:17001")
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt as _;

    use super::*;

    async fn call(parameters: Value) -> Result<RecordBatch, FunctionError> {
        let function = DailyWeather::default();
        function.on_load(&test_context()).await.expect("the table is there");
        let Value::Object(parameters) = parameters else {
            panic!("parameters are an object")
        };
        let output = function.call(Call::new(parameters)).await?;
        let mut batches: Vec<RecordBatch> = output.into_batches().try_collect().await?;
        assert_eq!(batches.len(), 1);
        Ok(batches.remove(0))
    }

    fn context(filters: &Value) -> Value {
        json!({"executionType": "REPORT", "organizationId": "o", "workspaceId": "w", "userId": "u",
               "timestamp": "2013-03-15T10:00:00Z", "timezone": "Etc/UTC", "filters": filters})
    }

    #[tokio::test]
    async fn without_a_context_every_day_is_returned() {
        let days = call(json!({})).await.expect("rows");
        assert_eq!((days.num_rows(), days.num_columns()), (1461, 6));
        assert_eq!(days.column(0).null_count(), 0);
    }

    #[tokio::test]
    async fn filters_on_dates_and_labels_hold_together() {
        let filters = json!([
            {"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": "2012-01-01", "to": "2012-01-10"},
            {"filterType": "positiveAttributeFilter", "labelIdentifier": "weather", "values": ["drizzle", "sun"]},
        ]);
        let days = call(json!({"executionContext": context(&filters)}))
            .await
            .expect("rows");
        let dates: Vec<String> = days
            .column(0)
            .as_any()
            .downcast_ref::<Date32Array>()
            .expect("dates")
            .iter()
            .flatten()
            .map(|day| civil(day).to_string())
            .collect();
        assert_eq!(dates, ["2012-01-01", "2012-01-08"]);
    }

    #[tokio::test]
    async fn relative_dates_count_from_the_timestamp() {
        let filters = json!([{"filterType": "relativeDateFilter", "datasetIdentifier": "date", "granularity": "MONTH", "from": -1, "to": -1}]);
        let days = call(json!({"executionContext": context(&filters)}))
            .await
            .expect("rows");
        assert_eq!(days.num_rows(), 28, "February 2013");
    }

    #[tokio::test]
    async fn only_the_columns_that_will_be_read_are_returned() {
        let days = call(json!({"columns": ["weather", "temp_max", "unknown"]}))
            .await
            .expect("rows");
        let schema = days.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["temp_max", "weather"]);
    }
}
