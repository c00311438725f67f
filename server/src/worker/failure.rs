//! What a function raised, as the error that clients are told. The traceback goes to the log.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::Deserialize;

use super::wire::{Kind, Raised};
use crate::error::{ErrorCode, ErrorInfo, FlightKind};
use crate::function::FunctionError;

/// The `ErrorInfo` that an exception carried, as far as it can be read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Carried {
    body: Option<String>,
}

/// The error of a call, whose exception may have carried an `ErrorInfo`.
pub(super) fn of(raised: Raised, carried: &Bytes, function: &str, tracebacks: bool) -> FunctionError {
    let Raised {
        kind,
        code,
        message,
        detail,
        traceback,
        fault: _,
        cpu: _,
    } = raised;
    let code = i32::try_from(code).map_or(ErrorCode::UNKNOWN, ErrorCode::new);
    if let Some(traceback) = &traceback {
        let fun = (!function.is_empty()).then_some(function);
        tracing::warn!(fun, exception = %traceback, "python_exception");
    }
    if kind == Kind::Cancelled && code == ErrorCode::COMMAND_CANCELLED {
        return FunctionError::cancelled();
    }
    let message = message.unwrap_or_default();
    if let (Kind::Server, ErrorCode::COMMAND_FAILED, true, false, Some(own)) =
        (kind, code, carried.is_empty(), tracebacks, own_words(&message))
    {
        return FunctionError::failed(own);
    }
    let mut info = ErrorInfo::new(code, message);
    match detail.or(traceback.filter(|_| tracebacks)) {
        Some(detail) if tracebacks || !carried.is_empty() => info = info.with_detail(detail),
        Some(_) | None => {}
    }
    if let Some(body) = body(carried) {
        info = info.with_body(body);
    }
    FunctionError::flight(class(kind), info)
}

/// The body of an `ErrorInfo` that an exception carried.
pub(super) fn body(carried: &Bytes) -> Option<Vec<u8>> {
    let carried: Carried = serde_json::from_slice(carried).ok()?;
    BASE64_STANDARD.decode(carried.body?).ok()
}

/// What the function itself said, in a message that the Python side put into the vendor's words.
fn own_words(message: &str) -> Option<&str> {
    let said = message.strip_prefix("There was an error while running task")?;
    said.strip_prefix(": ")
        .or_else(|| said.strip_prefix('.').filter(|rest| rest.is_empty()))
}

pub(super) const fn class(kind: Kind) -> FlightKind {
    match kind {
        Kind::Internal => FlightKind::Internal,
        Kind::Unauthenticated => FlightKind::Unauthenticated,
        Kind::Unauthorized => FlightKind::Unauthorized,
        Kind::Unavailable => FlightKind::Unavailable,
        Kind::TimedOut => FlightKind::TimedOut,
        Kind::Cancelled => FlightKind::Cancelled,
        // The status of both is the same.
        Kind::Server | Kind::None => FlightKind::Server,
    }
}

#[cfg(test)]
mod tests {
    use crate::error::FlightError;
    use crate::task::CallEnding;

    use super::*;

    fn raised(json: &str) -> Raised {
        serde_json::from_str(json).expect("an error")
    }

    fn told(raised: Raised, carried: &str, tracebacks: bool) -> FlightError {
        match of(raised, &Bytes::from(carried.to_owned()), "F", tracebacks).into_ending() {
            CallEnding::Failed(error) => error,
            CallEnding::Cancelled => panic!("cancelled"),
        }
    }

    #[test]
    fn class_code_and_body_are_those_that_were_raised() {
        let error = raised(r#"{"kind": "timed-out", "code": 1500, "message": "m", "detail": "d", "traceback": "t"}"#);
        let carried = r#"{"msg": "m", "detail": "d", "code": 1500, "body": "cjox"}"#;
        let info = ErrorInfo::new(ErrorCode::new(1500), "m")
            .with_detail("d")
            .with_body(&b"r:1"[..]);
        assert_eq!(
            told(error, carried, false),
            FlightError::new(FlightKind::TimedOut, info)
        );
    }

    #[test]
    fn tracebacks_are_told_to_clients_when_that_is_wanted() {
        let error = || raised(r#"{"kind": "server", "code": 5, "message": "m", "traceback": "t"}"#);
        let info = ErrorInfo::new(ErrorCode::COMMAND_FAILED, "m");
        assert_eq!(
            told(error(), "", false),
            FlightError::new(FlightKind::Server, info.clone())
        );
        assert_eq!(
            told(error(), "", true),
            FlightError::new(FlightKind::Server, info.with_detail("t"))
        );
    }

    #[test]
    fn what_the_function_said_is_told_apart_from_the_words_around_it() {
        for (message, said) in [(": gone", "gone"), (".", "")] {
            let message = format!("There was an error while running task{message}");
            let error = raised(&format!(r#"{{"kind": "server", "code": 5, "message": "{message}"}}"#));
            let error = of(error, &Bytes::new(), "F", false);
            assert_eq!(error.to_string(), said);
            let CallEnding::Failed(told) = error.into_ending() else {
                panic!("cancelled")
            };
            assert_eq!(told.message(), message);
        }
    }

    #[test]
    fn a_cancellation_is_one() {
        let error = raised(r#"{"kind": "cancelled", "code": 6, "message": "m"}"#);
        assert_eq!(
            of(error, &Bytes::new(), "F", false).code(),
            ErrorCode::COMMAND_CANCELLED
        );
    }
}
