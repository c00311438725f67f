//! The errors of the protocol, in its own words. Clients match on them.

use super::descriptor::retry_info;
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::task::TaskId;

pub(super) fn unknown_function(name: &str) -> FlightError {
    FlightError::bad_argument(format!("Unsupported FlexConnect function '{name}'."))
}

/// A task that is found cancelled, as opposed to one being cancelled by the client that is answered.
pub(super) fn task_was_cancelled(task: TaskId) -> FlightError {
    let message = format!("FlexConnect function invocation was cancelled. Invocation task was: '{task}'.");
    FlightError::new(
        FlightKind::Server,
        ErrorInfo::new(ErrorCode::COMMAND_CANCELLED, message),
    )
}

/// The answer to a request to cancel: always an error, by design.
pub(super) fn cancelled() -> FlightError {
    let message = "FlexConnect function invocation was cancelled.";
    FlightError::new(
        FlightKind::Cancelled,
        ErrorInfo::new(ErrorCode::COMMAND_CANCELLED, message),
    )
}

pub(super) fn cancel_not_possible() -> FlightError {
    let message = "FlexConnect function invocation could not be cancelled.";
    FlightError::new(
        FlightKind::Cancelled,
        ErrorInfo::new(ErrorCode::COMMAND_CANCEL_NOT_POSSIBLE, message),
    )
}

pub(super) fn no_such_task(id: &str) -> FlightError {
    FlightError::bad_argument(format!("Task with id '{id}' does not exist."))
}

/// Ask again.
pub(super) fn in_progress(task: TaskId) -> FlightError {
    let info = ErrorInfo::new(ErrorCode::POLL, "Work in progress. Retry.").with_body(retry_info(task));
    FlightError::new(FlightKind::TimedOut, info)
}
