//! The errors of the protocol, in its own words. Clients match on them.

use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::flight::descriptor::retry_info;
use crate::task::{Refusal, TaskId};

pub(super) fn unknown_function(name: &str) -> FlightError {
    FlightError::bad_argument(format!("Unsupported FlexConnect function '{name}'."))
}

/// A bound or the end of the server stands in the way of a new call.
pub(super) fn refused(reason: Refusal) -> FlightError {
    match reason {
        Refusal::Closed => FlightError::shutting_down(),
        Refusal::QueueFull => FlightError::backpressure("Too many calls are waiting. Try again later."),
        Refusal::ShareFull => {
            FlightError::backpressure("Too many calls of this function are waiting. Try again later.")
        }
        Refusal::OutOfBytes => FlightError::backpressure("Too many results are waiting to be read. Try again later."),
    }
}

/// A wait for a task met the deadline of its call. `method` is what waited.
pub(super) fn timed_out(method: &str, task: TaskId) -> FlightError {
    FlightError::timed_out(format!("{method} timed out while waiting for task {task}."))
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

pub(super) fn no_such_result(id: &str) -> FlightError {
    let message = format!("Unable to serve data for task '{id}'. The task result is not present.");
    FlightError::new(FlightKind::Server, ErrorInfo::new(ErrorCode::INVALID_TICKET, message))
}

pub(super) fn consumed() -> FlightError {
    let message = "Result data was already consumed or closed.";
    FlightError::new(
        FlightKind::Server,
        ErrorInfo::new(ErrorCode::COMMAND_RESULT_CONSUMED, message),
    )
}
