//! Functions that return streams, whole and broken.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use async_trait::async_trait;
use flexconnect_server::error::{ErrorCode, ErrorInfo, FlightKind};
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, Output};
use futures::{StreamExt as _, stream};
use serde_json::{Map, Value};

use crate::tables;

/// Batches of the lengths in `batches`, some of them without rows.
pub(crate) struct Stream;

#[async_trait]
impl FlexConnectFunction for Stream {
    fn name(&self) -> &'static str {
        "Stream"
    }

    fn schema(&self) -> SchemaRef {
        tables::id()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let batches = numbered(&call.parameters, &[2, 0, 3, 0]);
        Ok(Output::stream(
            tables::id(),
            stream::iter(batches).map(|batch| Ok(batch?)),
        ))
    }
}

/// A dictionary that changes from the second batch to the third; made where blocking is allowed.
pub(crate) struct DictionaryStream;

#[async_trait]
impl FlexConnectFunction for DictionaryStream {
    fn name(&self) -> &'static str {
        "DictionaryStream"
    }

    fn schema(&self) -> SchemaRef {
        tables::colour()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        let batches = tables::colours(&[
            (&["red", "green"], &[Some(0), Some(1), None]),
            (&["red", "green"], &[Some(1)]),
            (&["blue"], &[Some(0), Some(0)]),
        ])?;
        Ok(Output::stream(tables::colour(), stream::iter(batches).map(Ok)))
    }
}

/// One good batch (unless `batches` says otherwise), then the error that `kind` names.
pub(crate) struct FailingStream;

#[async_trait]
impl FlexConnectFunction for FailingStream {
    fn name(&self) -> &'static str {
        "FailingStream"
    }

    fn schema(&self) -> SchemaRef {
        tables::id()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let batches = stream::iter(numbered(&call.parameters, &[2])).map(|batch| Ok(batch?));
        let kind = call.parameters.get("kind").and_then(Value::as_str).map(str::to_owned);
        let end = stream::once(async move { Err(failure(kind.as_deref())) });
        Ok(Output::stream(tables::id(), batches.chain(end)))
    }
}

#[expect(clippy::panic, reason = "a panic is what the tests ask for")]
fn failure(kind: Option<&str>) -> FunctionError {
    match kind {
        Some("value") => FunctionError::bad_argument("the stream met a bad value"),
        Some("flight") => FunctionError::flight(
            FlightKind::Unavailable,
            ErrorInfo::new(ErrorCode::new(1500), "the source went away")
                .with_detail("mid-stream")
                .with_body("body"),
        ),
        Some("panic") => panic!("a bug in the stream"),
        _ => FunctionError::failed("the stream broke"),
    }
}

/// Batches that count their rows from 0; their lengths are the parameter `batches`.
fn numbered(parameters: &Map<String, Value>, default: &[i64]) -> Vec<Result<RecordBatch, ArrowError>> {
    let asked = parameters.get("batches").and_then(Value::as_array);
    let lengths = asked.map_or_else(
        || default.to_vec(),
        |lengths| lengths.iter().filter_map(Value::as_i64).collect(),
    );
    let batches = lengths.into_iter().scan(0, |start, length| {
        let first = *start;
        *start += length;
        Some(tables::numbers(first..*start))
    });
    batches.collect()
}
