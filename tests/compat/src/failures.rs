//! Functions that fail, in every way the protocol knows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use flexconnect_server::error::{ErrorCode, ErrorInfo, FlightKind};
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, Output};
use serde_json::{Map, Value};

/// Fails as `kind` says, with `message` repeated `repeat` times; Flight kinds take `code`, `detail`, `body` too.
pub(crate) struct Fail;

#[async_trait]
impl FlexConnectFunction for Fail {
    fn name(&self) -> &'static str {
        "Fail"
    }

    fn schema(&self) -> SchemaRef {
        nothing()
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let parameters = &call.parameters;
        let message = text(parameters, "message")
            .unwrap_or("the call failed")
            .repeat(times(parameters, "repeat"));
        Err(match text(parameters, "kind") {
            Some("value") => FunctionError::bad_argument(message),
            Some("runtime") => FunctionError::failed(message),
            Some("server") => FunctionError::flight(FlightKind::Server, info(parameters, message)),
            Some("internal") => FunctionError::flight(FlightKind::Internal, info(parameters, message)),
            Some("timeout") => FunctionError::flight(FlightKind::TimedOut, info(parameters, message)),
            Some("cancelled") => FunctionError::flight(FlightKind::Cancelled, info(parameters, message)),
            Some("unavailable") => FunctionError::flight(FlightKind::Unavailable, info(parameters, message)),
            Some("unauthenticated") => FunctionError::flight(FlightKind::Unauthenticated, info(parameters, message)),
            Some("unauthorized") => FunctionError::flight(FlightKind::Unauthorized, info(parameters, message)),
            other => FunctionError::bad_argument(format!("no kind of failure: {other:?}")),
        })
    }
}

/// Breaks off as a bug does. `Exit` ends a whole worker thread in Python; here both are panics.
pub(crate) struct Panic(pub(crate) &'static str);

#[async_trait]
impl FlexConnectFunction for Panic {
    fn name(&self) -> &str {
        self.0
    }

    fn schema(&self) -> SchemaRef {
        nothing()
    }

    #[expect(clippy::panic, reason = "a panic is what the tests ask for")]
    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        panic!("a bug in the function")
    }
}

fn nothing() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("never", DataType::Utf8, true)]))
}

fn info(parameters: &Map<String, Value>, message: String) -> ErrorInfo {
    let code = parameters
        .get("code")
        .and_then(Value::as_i64)
        .and_then(|code| i32::try_from(code).ok());
    let body = text(parameters, "body")
        .unwrap_or_default()
        .repeat(times(parameters, "body_repeat"));
    let info = ErrorInfo::new(ErrorCode::new(code.unwrap_or_default()), message).with_body(body);
    match text(parameters, "detail") {
        Some(detail) => info.with_detail(detail),
        None => info,
    }
}

fn text<'a>(parameters: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    parameters.get(key).and_then(Value::as_str)
}

fn times(parameters: &Map<String, Value>, key: &str) -> usize {
    parameters
        .get(key)
        .and_then(Value::as_u64)
        .and_then(|times| usize::try_from(times).ok())
        .unwrap_or(1)
}
