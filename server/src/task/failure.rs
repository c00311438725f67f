//! How work, such as the call of a function, fails.

use std::error::Error;
use std::fmt;

use arrow::error::ArrowError;

use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};

/// Why a call has no result.
///
/// Any `std::error::Error` becomes one with `?`: its text reaches the client behind `There was an error while running
/// task`, its causes stay in the server's log. Arrow's errors about invalid data are the caller's, as in
/// [`FunctionError::bad_argument`].
pub struct FunctionError(Failure);

enum Failure {
    BadArgument(String),
    Failed {
        message: String,
        /// What was behind it, outermost first.
        causes: Vec<String>,
    },
    Cancelled,
    Flight(FlightError),
}

/// How a failed call ends, once its causes are in the log.
#[derive(Debug)]
pub(crate) enum CallEnding {
    Cancelled,
    Failed(FlightError),
}

impl FunctionError {
    /// The caller asked for something that cannot be: code `BAD_ARGUMENT`.
    #[must_use]
    pub fn bad_argument(message: impl Into<String>) -> Self {
        Self(Failure::BadArgument(message.into()))
    }

    /// The function could not do its work: code `COMMAND_FAILED`.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self(Failure::Failed {
            message: message.into(),
            causes: Vec::new(),
        })
    }

    /// The function panicked. What the panic said is in the log of the panic hook; it is written for programmers and may
    /// show values, so clients do not get it.
    pub(crate) fn panicked() -> Self {
        Self::failed("the function panicked.")
    }

    /// What the function returned has no form on the wire: a type that Arrow IPC cannot carry, columns other than announced.
    pub(crate) fn unsendable(error: &ArrowError) -> Self {
        Self::failed(format!("the result cannot be sent: {error}"))
    }

    /// The function stopped because it was cancelled.
    #[must_use]
    pub const fn cancelled() -> Self {
        Self(Failure::Cancelled)
    }

    /// An error with a class, a code and a body of the function's own choice.
    #[must_use]
    pub fn flight(kind: FlightKind, info: ErrorInfo) -> Self {
        Self(Failure::Flight(FlightError::new(kind, info)))
    }

    /// The code that the client will be told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match &self.0 {
            Failure::BadArgument(_) => ErrorCode::BAD_ARGUMENT,
            Failure::Failed { .. } => ErrorCode::COMMAND_FAILED,
            Failure::Cancelled => ErrorCode::COMMAND_CANCELLED,
            Failure::Flight(error) => error.code().unwrap_or(ErrorCode::UNKNOWN),
        }
    }

    /// What the client is told, and what becomes of the task.
    pub(crate) fn into_ending(self) -> CallEnding {
        match self.0 {
            Failure::BadArgument(message) => CallEnding::Failed(FlightError::bad_argument(message)),
            Failure::Failed { message, .. } => CallEnding::Failed(command_failed(&message)),
            Failure::Cancelled => CallEnding::Cancelled,
            Failure::Flight(error) => CallEnding::Failed(error),
        }
    }

    fn message(&self) -> &str {
        match &self.0 {
            Failure::BadArgument(message) | Failure::Failed { message, .. } => message,
            Failure::Cancelled => "the call was cancelled",
            Failure::Flight(error) => error.message(),
        }
    }

    fn causes(&self) -> &[String] {
        match &self.0 {
            Failure::Failed { causes, .. } => causes,
            Failure::BadArgument(_) | Failure::Cancelled | Failure::Flight(_) => &[],
        }
    }
}

fn command_failed(message: &str) -> FlightError {
    let message = if message.is_empty() {
        "There was an error while running task.".to_owned()
    } else {
        format!("There was an error while running task: {message}")
    };
    FlightError::new(FlightKind::Server, ErrorInfo::new(ErrorCode::COMMAND_FAILED, message))
}

/// The message and its causes, for the server's log.
impl fmt::Display for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())?;
        self.causes().iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for FunctionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `FunctionError` is no `std::error::Error` itself, so that every other error can become one with `?`.
///
/// The error is put into words here, while the function runs, and dropped: both are its own code, which may panic.
impl<E: Error + Send + Sync + 'static> From<E> for FunctionError {
    fn from(error: E) -> Self {
        let message = error.to_string();
        let error: &(dyn Error + 'static) = &error;
        match error.downcast_ref::<ArrowError>() {
            Some(arrow) if is_about_input(arrow) => Self::bad_argument(message),
            Some(_) | None => Self(Failure::Failed {
                message,
                causes: causes(error),
            }),
        }
    }
}

/// What is behind an error, outermost first. A chain that has no end is cut.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    const MOST: usize = 32;
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause.filter(|_| causes.len() < MOST) {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes
}

/// Whether Arrow speaks of values it was given, rather than of its own work.
fn is_about_input(error: &ArrowError) -> bool {
    match error {
        ArrowError::CastError(_)
        | ArrowError::ParseError(_)
        | ArrowError::SchemaError(_)
        | ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::CsvError(_)
        | ArrowError::JsonError(_)
        | ArrowError::InvalidArgumentError(_) => true,
        ArrowError::NotYetImplemented(_)
        | ArrowError::ExternalError(_)
        | ArrowError::MemoryError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::AvroError(_)
        | ArrowError::IoError(_, _)
        | ArrowError::IpcError(_)
        | ArrowError::ParquetError(_)
        | ArrowError::CDataInterface(_)
        | ArrowError::DictionaryKeyOverflowError
        | ArrowError::RunEndIndexOverflowError
        | ArrowError::OffsetOverflowError(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: FunctionError) -> FlightError {
        match error.into_ending() {
            CallEnding::Failed(error) => error,
            CallEnding::Cancelled => panic!("not cancelled"),
        }
    }

    fn read_port(text: &str) -> Result<u16, FunctionError> {
        Ok(text.parse()?)
    }

    #[test]
    fn any_error_becomes_command_failed() {
        let error = failed(read_port("x").expect_err("no number"));
        assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
        assert_eq!(
            error.message(),
            "There was an error while running task: invalid digit found in string"
        );
        assert_eq!(
            failed(FunctionError::failed("")).message(),
            "There was an error while running task."
        );
    }

    #[test]
    fn causes_are_for_the_log_only() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot reach the warehouse")]
        struct Outer(#[source] std::num::ParseIntError);

        let error = FunctionError::from(Outer("x".parse::<u16>().expect_err("no number")));
        assert_eq!(
            error.to_string(),
            "cannot reach the warehouse: invalid digit found in string"
        );
        assert_eq!(
            failed(error).message(),
            "There was an error while running task: cannot reach the warehouse"
        );
    }

    #[test]
    fn invalid_data_is_the_callers() {
        let error = failed(ArrowError::CastError("not a date".into()).into());
        assert_eq!(
            (error.code(), error.message()),
            (Some(ErrorCode::BAD_ARGUMENT), "Cast error: not a date")
        );
        let error = failed(ArrowError::IpcError("broken".into()).into());
        assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED));
    }

    #[test]
    fn a_flight_error_stays_what_it_is() {
        let info = ErrorInfo::new(ErrorCode::new(1500), "quota")
            .with_detail("d")
            .with_body("b");
        let error = failed(FunctionError::flight(FlightKind::Unauthorized, info.clone()));
        assert_eq!(error, FlightError::new(FlightKind::Unauthorized, info));
    }
}
