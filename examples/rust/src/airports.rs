//! The airports of the United States: a function that streams its rows.

use std::sync::{Arc, OnceLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, LoadContext, Output, async_trait};
use futures::stream;

use crate::tables::read_csv;

/// Rows in one message of the stream.
const ROWS_PER_BATCH: usize = 500;

/// Streams every airport. A stream is read once, by the call that asked for it, and only as fast as it is read.
#[derive(Debug, Default)]
pub struct Airports {
    rows: OnceLock<RecordBatch>,
}

#[async_trait]
impl FlexConnectFunction for Airports {
    fn name(&self) -> &'static str {
        "Airports"
    }

    fn schema(&self) -> SchemaRef {
        let text = |name| Field::new(name, DataType::Utf8, true);
        let number = |name| Field::new(name, DataType::Float64, true);
        Arc::new(Schema::new(vec![
            text("iata"),
            text("name"),
            text("city"),
            text("state"),
            text("country"),
            number("latitude"),
            number("longitude"),
        ]))
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        let rows = read_csv(context, "airports.csv", &self.schema())?;
        self.rows.get_or_init(|| rows);
        Ok(())
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let rows = self
            .rows
            .get()
            .cloned()
            .ok_or_else(|| FunctionError::failed("the airports are not loaded"))?;
        let starts = (0..rows.num_rows()).step_by(ROWS_PER_BATCH);
        let schema = rows.schema();
        let batches = starts.map(move |start| {
            if call.cancelled.is_cancelled() {
                return Err(FunctionError::cancelled());
            }
            Ok(rows.slice(start, ROWS_PER_BATCH.min(rows.num_rows() - start)))
        });
        Ok(Output::stream(schema, stream::iter(batches)))
    }
}

#[cfg(test)]
mod tests {
    use flexconnect_server::testing;
    use futures::TryStreamExt as _;
    use serde_json::{Map, json};

    use super::*;
    use crate::tables::settings;

    async fn loaded() -> Airports {
        let function = Airports::default();
        testing::load(&function, settings()).await.expect("the table is there");
        function
    }

    #[tokio::test]
    async fn every_airport_is_streamed_in_several_batches() {
        let rows = testing::call(&loaded().await, json!({})).await.expect("airports");
        assert!(rows.batches().len() > 1);
        assert_eq!(rows.count(), 3376);
    }

    #[tokio::test]
    async fn a_cancelled_call_stops_its_stream() {
        let call = Call::new(Map::new());
        let cancelled = call.cancelled.clone();
        let mut batches = loaded().await.call(call).await.expect("a stream").into_batches();
        batches.try_next().await.expect("a first batch");
        cancelled.cancel();
        batches.try_next().await.expect_err("no further batch");
    }
}
