//! Error codes: a number, and in its high bits where a client may try again.

use std::fmt;

/// Bits above the code proper.
const RETRY_HERE: i32 = 0x1_0000;
const RETRY_ELSEWHERE: i32 = 0x2_0000;
const CODE_MASK: i32 = 0xffff;

/// The first code that functions may give a meaning of their own.
const FIRST_CUSTOM: i32 = 1000;

/// Where a client may repeat a call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Repeating does not help.
    Never,
    /// At the same replica.
    Here,
    /// At another replica.
    Elsewhere,
    /// At any replica.
    Anywhere,
}

impl Retry {
    const fn flags(self) -> i32 {
        match self {
            Self::Never => 0,
            Self::Here => RETRY_HERE,
            Self::Elsewhere => RETRY_ELSEWHERE,
            Self::Anywhere => RETRY_HERE | RETRY_ELSEWHERE,
        }
    }
}

/// The `code` of an `ErrorInfo` as it travels: low 16 bits the code, above them the retry flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(i32);

impl ErrorCode {
    /// A Flight error that carries no code of its own.
    pub const UNKNOWN: Self = Self::new(0);
    /// The request, or an argument in it, cannot be served.
    pub const BAD_ARGUMENT: Self = Self::new(1);
    /// The request is malformed.
    pub const BAD_REQUEST: Self = Self::new(2);
    /// The service does not do this.
    pub const UNSUPPORTED_SERVICE: Self = Self::new(3);
    /// The ticket's result does not exist (any more).
    pub const INVALID_TICKET: Self = Self::new(4);
    /// The function failed.
    pub const COMMAND_FAILED: Self = Self::new(5);
    /// The task was cancelled.
    pub const COMMAND_CANCELLED: Self = Self::new(6);
    /// The task had gone too far to be cancelled.
    pub const COMMAND_CANCEL_NOT_POSSIBLE: Self = Self::new(7);
    /// The result can be read once, and was.
    pub const COMMAND_RESULT_CONSUMED: Self = Self::new(8);
    /// The call took longer than its deadline.
    pub const TIMEOUT: Self = Self::new(100);
    /// Work goes on: ask the same replica again.
    pub const POLL: Self = Self::new(101).with_retry(Retry::Here);
    /// A bound is reached.
    pub const BACKPRESSURE: Self = Self::new(102).with_retry(Retry::Anywhere);
    /// The server is at fault.
    pub const INTERNAL_ERROR: Self = Self::new(500).with_retry(Retry::Elsewhere);
    /// The server starts.
    pub const NOT_READY: Self = Self::new(501).with_retry(Retry::Anywhere);
    /// The server stops.
    pub const SHUTTING_DOWN: Self = Self::new(502).with_retry(Retry::Elsewhere);
    /// The function is not there yet.
    pub const NOT_IMPLEMENTED: Self = Self::new(503);

    /// The code of this number on the wire, flags included. Functions use 1000 to 65535 for codes of their own.
    #[must_use]
    pub const fn new(wire: i32) -> Self {
        Self(wire)
    }

    /// The same code with other retry flags.
    #[must_use]
    pub const fn with_retry(self, retry: Retry) -> Self {
        Self((self.0 & !(RETRY_HERE | RETRY_ELSEWHERE)) | retry.flags())
    }

    /// The number on the wire, flags included.
    #[must_use]
    pub const fn wire(self) -> i32 {
        self.0
    }

    /// Where a client may try again.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match (self.0 & RETRY_HERE != 0, self.0 & RETRY_ELSEWHERE != 0) {
            (false, false) => Retry::Never,
            (true, false) => Retry::Here,
            (false, true) => Retry::Elsewhere,
            (true, true) => Retry::Anywhere,
        }
    }

    /// The code without its flags; a negative number has none and stays what it is.
    const fn base(self) -> i32 {
        if self.0 < 0 { self.0 } else { self.0 & CODE_MASK }
    }

    const fn name(self) -> &'static str {
        match self.base() {
            1 => "bad_argument",
            2 => "bad_request",
            3 => "unsupported_service",
            4 => "invalid_ticket",
            5 => "command_failed",
            6 => "command_cancelled",
            7 => "command_cancel_not_possible",
            8 => "command_result_consumed",
            100 => "timeout",
            101 => "poll",
            102 => "backpressure",
            500 => "internal_error",
            501 => "not_ready",
            502 => "shutting_down",
            503 => "not_implemented",
            FIRST_CUSTOM.. => "custom",
            _ => "unknown",
        }
    }
}

/// As in logs and spans: `command_failed (5)`.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.base())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_travel_in_the_number() {
        let wire = [
            (ErrorCode::UNKNOWN, 0, Retry::Never),
            (ErrorCode::BAD_ARGUMENT, 1, Retry::Never),
            (ErrorCode::TIMEOUT, 100, Retry::Never),
            (ErrorCode::POLL, 65_637, Retry::Here),
            (ErrorCode::BACKPRESSURE, 196_710, Retry::Anywhere),
            (ErrorCode::INTERNAL_ERROR, 131_572, Retry::Elsewhere),
            (ErrorCode::NOT_READY, 197_109, Retry::Anywhere),
            (ErrorCode::SHUTTING_DOWN, 131_574, Retry::Elsewhere),
            (ErrorCode::NOT_IMPLEMENTED, 503, Retry::Never),
        ];
        for (code, number, retry) in wire {
            assert_eq!(code.wire(), number);
            assert_eq!(code.retry(), retry);
        }
    }

    #[test]
    fn logs_show_the_name_and_the_code_without_flags() {
        assert_eq!(ErrorCode::COMMAND_FAILED.to_string(), "command_failed (5)");
        assert_eq!(ErrorCode::SHUTTING_DOWN.to_string(), "shutting_down (502)");
        assert_eq!(
            ErrorCode::new(1500).with_retry(Retry::Anywhere).to_string(),
            "custom (1500)"
        );
        assert_eq!(ErrorCode::new(999).to_string(), "unknown (999)");
        assert_eq!(ErrorCode::new(-1).to_string(), "unknown (-1)");
    }

    #[test]
    fn retry_flags_replace_each_other() {
        let code = ErrorCode::POLL.with_retry(Retry::Elsewhere);
        assert_eq!(code.retry(), Retry::Elsewhere);
        assert_eq!(code.with_retry(Retry::Never), ErrorCode::new(101));
    }
}
