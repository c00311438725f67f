//! The seven kinds of Flight errors, each with the status it becomes.

use tonic::Code;

/// What class of exception a Flight client raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlightKind {
    /// `FlightServerError`: the call failed.
    Server,
    /// `FlightInternalError`: the server is at fault.
    Internal,
    /// `FlightTimedOutError`: a deadline passed, or work still goes on.
    TimedOut,
    /// `FlightCancelledError`: the client asked to cancel.
    Cancelled,
    /// `FlightUnavailableError`: not now.
    Unavailable,
    /// `FlightUnauthenticatedError`: the caller is unknown.
    Unauthenticated,
    /// `FlightUnauthorizedError`: the caller may not do this.
    Unauthorized,
}

impl FlightKind {
    /// The gRPC status, from which clients take the class.
    #[must_use]
    pub const fn grpc(self) -> Code {
        match self {
            Self::Server => Code::Unknown,
            Self::Internal => Code::Internal,
            Self::TimedOut => Code::DeadlineExceeded,
            Self::Cancelled => Code::Cancelled,
            Self::Unavailable => Code::Unavailable,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Unauthorized => Code::PermissionDenied,
        }
    }

    /// The word that ends the message of the status and is the Arrow status detail.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "Failed",
            Self::Internal => "Internal",
            Self::TimedOut => "TimedOut",
            Self::Cancelled => "Cancelled",
            Self::Unavailable => "Unavailable",
            Self::Unauthenticated => "Unauthenticated",
            Self::Unauthorized => "Unauthorized",
        }
    }
}
