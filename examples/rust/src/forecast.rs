//! How warm a month may get: a function that computes for long, and stops when nobody waits for it any more.

use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray as _, Float64Array, Int64Array, RecordBatch};
use arrow::compute::{DatePart, date_part};
use arrow::datatypes::{DataType, Field, Float64Type, Int32Type, Schema, SchemaRef};
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, LoadContext, Output, async_trait};
use serde_json::{Value, json};

use crate::daily_weather::read_days;

/// Years that are simulated unless the caller says how many.
const YEARS: usize = 10_000;

/// As many as one call may ask for.
const MOST_YEARS: usize = 10_000_000;

/// How often the call looks whether it was cancelled, in simulated years.
const LOOK_EVERY: usize = 1_000;

/// Days of a month that are drawn from all such days there were.
const DAYS: usize = 30;

/// Simulates many years by drawing days from the past, and returns the warmest temperature of the month at some shares of
/// those years. Parameters: `month` (1 to 12), `years`.
#[derive(Debug, Default)]
pub struct Forecast {
    /// The warmest temperature of each day there was, by month.
    past: OnceLock<Vec<Vec<f64>>>,
}

#[async_trait]
impl FlexConnectFunction for Forecast {
    fn name(&self) -> &'static str {
        "Forecast"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("percent_of_years", DataType::Int64, false),
            Field::new("warmest", DataType::Float64, false),
        ]))
    }

    fn metadata(&self) -> Option<Value> {
        Some(
            json!({"description": "How warm a month may get in Seattle", "parameters": {"month": "1 to 12", "years": YEARS}}),
        )
    }

    /// It keeps a processor busy: it must not run on a thread that serves the network.
    fn blocking(&self) -> bool {
        true
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        let days = read_days(context)?;
        let months = date_part(days.column(0), DatePart::Month)?;
        let warmest = days.column(2).as_primitive::<Float64Type>();
        let mut past = vec![Vec::new(); 12];
        for (month, warmest) in months.as_primitive::<Int32Type>().iter().zip(warmest) {
            let month = month.and_then(|month| usize::try_from(month - 1).ok());
            if let (Some(month), Some(warmest)) = (month.and_then(|month| past.get_mut(month)), warmest) {
                month.push(warmest);
            }
        }
        self.past.get_or_init(|| past);
        Ok(())
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let month = call.required::<usize>("month")?;
        let years = call.parameter::<usize>("years")?.unwrap_or(YEARS);
        if !(1..=MOST_YEARS).contains(&years) {
            return Err(FunctionError::bad_argument(format!(
                "'years' must be from 1 to {MOST_YEARS}."
            )));
        }
        let past = self
            .past
            .get()
            .ok_or_else(|| FunctionError::failed("the weather is not loaded"))?;
        let days = month
            .checked_sub(1)
            .and_then(|month| past.get(month))
            .ok_or_else(|| FunctionError::bad_argument("'month' must be from 1 to 12."))?;

        let mut draw = Draw(month as u64);
        let mut warmest = Vec::with_capacity(years);
        for year in 0..years {
            // Also when the deadline of the call has passed.
            if year % LOOK_EVERY == 0 && call.cancelled.is_cancelled() {
                return Err(FunctionError::cancelled());
            }
            warmest.push((0..DAYS).map(|_| draw.from(days)).fold(f64::NEG_INFINITY, f64::max));
        }
        warmest.sort_by(f64::total_cmp);

        let percents = [10, 50, 90];
        let at = percents.map(|percent| warmest[(years - 1) * percent / 100]);
        let percents = Int64Array::from_iter_values([10, 50, 90]);
        let columns = vec![Arc::new(percents) as _, Arc::new(Float64Array::from(at.to_vec())) as _];
        Ok(RecordBatch::try_new(self.schema(), columns)?.into())
    }
}

/// Draws that are the same in every run: the generator that Sebastiano Vigna calls `SplitMix64`.
struct Draw(u64);

impl Draw {
    fn from(&mut self, values: &[f64]) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let index = (mixed ^ (mixed >> 31)) % values.len().max(1) as u64;
        usize::try_from(index)
            .ok()
            .and_then(|index| values.get(index))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use flexconnect_server::{ErrorCode, testing};
    use serde_json::Map;

    use super::*;
    use crate::tables::settings;

    async fn loaded() -> Forecast {
        let function = Forecast::default();
        testing::load(&function, settings()).await.expect("the table is there");
        function
    }

    #[tokio::test]
    async fn july_gets_warmer_than_january() {
        let function = loaded().await;
        let mut medians = Vec::new();
        for month in [1, 7] {
            let rows = testing::call(&function, json!({"month": month, "years": 500})).await;
            let rows = rows.expect("a forecast").to_json().expect("JSON");
            let warmest: Vec<f64> = (0..3).filter_map(|row| rows[row]["warmest"].as_f64()).collect();
            assert!(warmest.len() == 3 && warmest.is_sorted(), "{rows}");
            medians.push(warmest[1]);
        }
        assert!(medians[0] + 10.0 < medians[1], "{medians:?}");
    }

    #[tokio::test]
    async fn a_cancelled_call_stops() {
        let mut call = Call::new(Map::new());
        call.parameters
            .extend([("month".to_owned(), json!(7)), ("years".to_owned(), json!(MOST_YEARS))]);
        call.cancelled.cancel();
        let error = testing::run(&loaded().await, call).await.expect_err("cancelled");
        assert_eq!(error.code(), ErrorCode::COMMAND_CANCELLED);
    }

    #[tokio::test]
    async fn wrong_parameters_are_told() {
        let function = loaded().await;
        for (parameters, message) in [
            (json!({}), "The parameter 'month' is missing."),
            (json!({"month": 13}), "'month' must be from 1 to 12."),
            (json!({"month": 1, "years": 0}), "'years' must be from 1 to 10000000."),
        ] {
            let error = testing::call(&function, parameters).await.expect_err("wrong");
            assert_eq!(
                (error.code(), error.to_string().as_str()),
                (ErrorCode::BAD_ARGUMENT, message)
            );
        }
    }
}
