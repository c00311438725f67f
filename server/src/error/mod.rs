//! Errors as clients see them: codes, `ErrorInfo`, and the one place where an error becomes a gRPC status with its trailers.

mod code;
mod info;
mod kind;
mod relayed;
mod status;

pub use code::{ErrorCode, Retry};
pub use info::ErrorInfo;
pub use kind::FlightKind;
pub(crate) use relayed::tidy;
pub(crate) use status::message_of;

/// An error of a Flight call, before it becomes a gRPC status.
///
/// `tonic::Status::from` writes it to the wire with the trailers that Arrow Flight clients read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum FlightError {
    /// An error with everything a client can act on: class, text, code, retry flags, body.
    Described {
        /// Decides the class of the exception at the client.
        kind: FlightKind,
        /// What is wrong.
        info: Box<ErrorInfo>,
    },
    /// An error that is only a class and a text, as authentication answers it.
    Plain {
        /// Decides the class of the exception at the client.
        kind: FlightKind,
        /// What is wrong, for people.
        message: String,
    },
    /// A request that is not what Arrow Flight calls a request: `INVALID_ARGUMENT`.
    InvalidArgument(String),
    /// A method this server does not have: `UNIMPLEMENTED`.
    Unimplemented(String),
}

impl FlightError {
    /// An error of this kind with its description.
    #[must_use]
    pub fn new(kind: FlightKind, info: ErrorInfo) -> Self {
        Self::Described {
            kind,
            info: Box::new(info),
        }
    }

    /// The caller did not say who it is, or is not who it says: `UNAUTHENTICATED`, without `ErrorInfo`.
    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::Plain {
            kind: FlightKind::Unauthenticated,
            message: message.into(),
        }
    }

    /// The caller is known and may not do this: `PERMISSION_DENIED`, without `ErrorInfo`.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::Plain {
            kind: FlightKind::Unauthorized,
            message: message.into(),
        }
    }

    /// The server still loads its functions: `UNAVAILABLE`, to be retried anywhere.
    #[must_use]
    pub fn not_ready() -> Self {
        Self::new(
            FlightKind::Unavailable,
            ErrorInfo::new(ErrorCode::NOT_READY, "Try again later."),
        )
    }

    /// The server drains and takes no new calls: `UNAVAILABLE`, to be retried elsewhere.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(
            FlightKind::Unavailable,
            ErrorInfo::new(ErrorCode::SHUTTING_DOWN, "Server is shutting down."),
        )
    }

    /// A bound of the server is reached: `UNAVAILABLE`, to be retried anywhere.
    #[must_use]
    pub fn backpressure(message: impl Into<String>) -> Self {
        Self::new(
            FlightKind::Unavailable,
            ErrorInfo::new(ErrorCode::BACKPRESSURE, message),
        )
    }

    /// The request cannot be served as it is: `UNKNOWN` with code `BAD_ARGUMENT`.
    #[must_use]
    pub fn bad_argument(message: impl Into<String>) -> Self {
        Self::new(FlightKind::Server, ErrorInfo::new(ErrorCode::BAD_ARGUMENT, message))
    }

    /// A deadline passed: `DEADLINE_EXCEEDED` with code `TIMEOUT`.
    #[must_use]
    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(FlightKind::TimedOut, ErrorInfo::new(ErrorCode::TIMEOUT, message))
    }

    /// What is wrong, for people; at most 256 characters of it reach a client.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Described { info, .. } => info.message(),
            Self::Plain { message, .. } | Self::InvalidArgument(message) | Self::Unimplemented(message) => message,
        }
    }

    /// The class of the error, where it is one of Flight's.
    #[must_use]
    pub fn kind(&self) -> Option<FlightKind> {
        match self {
            Self::Described { kind, .. } | Self::Plain { kind, .. } => Some(*kind),
            Self::InvalidArgument(_) | Self::Unimplemented(_) => None,
        }
    }

    /// The code in the `ErrorInfo`, where there is one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Described { info, .. } => Some(info.code()),
            Self::Plain { .. } | Self::InvalidArgument(_) | Self::Unimplemented(_) => None,
        }
    }
}
