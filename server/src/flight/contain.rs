//! Keeps a panic of a method where it belongs: it is the error of one call. What it says is in the log of the panic hook.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};

use futures::{FutureExt as _, StreamExt as _};

use super::Answers;
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};

/// What a method comes to.
pub(super) async fn contained<T>(method: impl Future<Output = Result<T, FlightError>>) -> Result<T, FlightError> {
    let answered = AssertUnwindSafe(method).catch_unwind().await;
    answered.unwrap_or_else(|_| Err(panicked()))
}

/// The next one of a method's answers. After a panic nothing more may be asked for.
pub(super) fn poll_next<T>(
    answers: &mut Answers<T>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<T, FlightError>>> {
    let polled = catch_unwind(AssertUnwindSafe(|| answers.poll_next_unpin(context)));
    polled.unwrap_or_else(|_| Poll::Ready(Some(Err(panicked()))))
}

fn panicked() -> FlightError {
    FlightError::new(
        FlightKind::Internal,
        ErrorInfo::new(
            ErrorCode::INTERNAL_ERROR,
            "The service panicked while it answered the call.",
        ),
    )
}
