//! The weather of Seattle, day by day from 2012 to 2015: a function that applies what the report asks for.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray as _, Date32Array, RecordBatch};
use arrow::compute::kernels::cast_utils::Parser as _;
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use flexconnect_server::context::last_part;
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, LoadContext, Output, async_trait};
use serde_json::{Value, json};

use crate::tables::read_csv;

/// One row a day. The filters of a report, those on dates included, and the columns that it shows are applied here, so that
/// only what it needs travels.
#[derive(Debug, Default)]
pub struct DailyWeather {
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
        let days = read_days(context)?;
        self.days.get_or_init(|| days);
        Ok(())
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let days = self
            .days
            .get()
            .ok_or_else(|| FunctionError::failed("the weather is not loaded"))?;
        let wanted = match call.execution_context()? {
            // The labels `DailyWeather.weather`, … and the date data set `date` are named after the columns.
            Some(context) => context.filter_rows(days, last_part)?,
            None => days.clone(),
        };
        Output::from(wanted).project(&call.projection(&days.schema()))
    }
}

/// All days, with real dates.
pub(crate) fn read_days(context: &LoadContext) -> Result<RecordBatch, FunctionError> {
    let read = read_csv(context, "seattle-weather.csv", &columns(DataType::Utf8))?;
    let mut arrays = read.columns().to_vec();
    arrays[0] = dates(&arrays[0]);
    Ok(RecordBatch::try_new(columns(DataType::Date32), arrays)?)
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
fn dates(texts: &ArrayRef) -> ArrayRef {
    let texts = texts.as_string::<i32>();
    let dates = texts
        .iter()
        .map(|text| text.and_then(|text| Date32Type::parse_formatted(text, "%Y/%m/%d")));
    Arc::new(dates.collect::<Date32Array>())
}

#[cfg(test)]
mod tests {
    use flexconnect_server::testing::{self, Rows};

    use super::*;
    use crate::tables::settings;

    async fn call(parameters: Value) -> Rows {
        let function = DailyWeather::default();
        testing::load(&function, settings()).await.expect("the table is there");
        testing::call(&function, parameters).await.expect("rows")
    }

    #[tokio::test]
    async fn without_a_context_every_day_is_returned() {
        let days = call(json!({})).await;
        assert_eq!((days.count(), days.schema().fields().len()), (1461, 6));
    }

    #[tokio::test]
    async fn filters_on_dates_and_labels_hold_together() {
        let context = testing::execution_context(json!({"filters": [
            {"filterType": "absoluteDateFilter", "datasetIdentifier": "date", "from": "2012-01-01", "to": "2012-01-10"},
            {"filterType": "positiveAttributeFilter", "labelIdentifier": "DailyWeather.weather", "values": ["drizzle", "sun"]},
        ]}));
        let days = call(json!({"executionContext": context, "columns": ["date", "weather"]})).await;
        let expected = json!([
            {"date": "2012-01-01", "weather": "drizzle"},
            {"date": "2012-01-08", "weather": "sun"},
        ]);
        assert_eq!(days.to_json().expect("JSON"), expected);
    }

    #[tokio::test]
    async fn relative_dates_count_from_the_timestamp() {
        let context = testing::execution_context(json!({
            "timestamp": "2013-03-15T10:00:00Z",
            "filters": [{"filterType": "relativeDateFilter", "datasetIdentifier": "date", "granularity": "MONTH", "from": -1, "to": -1}],
        }));
        let days = call(json!({"executionContext": context})).await;
        assert_eq!(days.count(), 28, "February 2013");
    }

    #[tokio::test]
    async fn only_the_columns_that_will_be_read_are_returned() {
        let days = call(json!({"columns": ["weather", "temp_max", "unknown"]})).await;
        let names: Vec<&str> = days
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(names, ["temp_max", "weather"]);
    }
}
