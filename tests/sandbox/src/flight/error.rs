//! Why a query through a data source failed: what, where, and what to do about it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use h2::Reason;
use tonic::{Code, ConnectError, Status};

use super::error_info::ErrorInfo;
use super::target::Target;

/// The failure of a query or a connection test. Its text is one sentence for people; it names no secret.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The data source's own attributes do not say how to reach a server.
    #[error("the data source `{id}` cannot be used: {reason}")]
    Unusable {
        /// The data source.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token holds characters that no header can carry.
    #[error("the data source's token cannot be sent: it holds other characters than printable ASCII")]
    UnsendableToken,
    /// No connection to the server could be established, TLS included.
    #[error("cannot connect to {server}: {reason}; check that it runs, that its name resolves from here, and its TLS")]
    Unreachable {
        /// The URL that was dialled.
        server: String,
        /// The innermost cause.
        reason: String,
    },
    /// An established connection broke while the call was under way.
    #[error("the connection to {server} broke: {reason}; the server may have been stopped while it answered")]
    Broken {
        /// The URL that was dialled.
        server: String,
        /// The innermost cause.
        reason: String,
    },
    /// The server answered with an error.
    #[error("{server} refused the call ({status:?}): {message}{}", advice(*.status, *.code))]
    Refused {
        /// The URL that was dialled.
        server: String,
        /// The gRPC status.
        status: Code,
        /// The server's own text.
        message: String,
        /// The error code of the protocol without its retry flags, when the server sent one.
        code: Option<u32>,
    },
    /// Nothing came in time.
    #[error("{server} did not answer within {}; raise the time limit or see what the function waits for",
            humantime::format_duration(*.limit))]
    TimedOut {
        /// The URL that was dialled.
        server: String,
        /// How long the query was given.
        limit: Duration,
    },
    /// The server's answer makes no sense.
    #[error("{server} sent an answer that cannot be read: {reason}")]
    Garbled {
        /// The URL that was dialled.
        server: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

fn advice(status: Code, code: Option<u32>) -> &'static str {
    match (status, code) {
        (Code::Unauthenticated, _) => "; the data source's token is not one that the server knows",
        (_, Some(1)) => "; correct the query",
        (_, Some(102)) => "; the server is overloaded, ask again later",
        (_, Some(501 | 502)) => "; the server is starting or stopping, ask again later",
        _ => "",
    }
}

impl QueryError {
    /// What a failed call to `server` means.
    pub(crate) fn from_status(server: &Target, status: &Status) -> Self {
        let server = server.to_string();
        if let Some(cause) = connect_failure(status) {
            return Self::Unreachable { server, reason: cause };
        }
        if let Some(cause) = status.source() {
            // What the server answered has no source here; what went wrong in between does.
            return Self::Broken {
                server,
                reason: innermost(cause),
            };
        }
        let info = ErrorInfo::of(status);
        let message = match &info {
            Some(ErrorInfo {
                msg,
                detail: Some(detail),
                ..
            }) => format!("{msg} ({})", first_line(detail)),
            Some(ErrorInfo { msg, detail: None, .. }) => msg.clone(),
            None => status.message().to_owned(),
        };
        let code = info.map(|info| info.plain_code());
        Self::Refused {
            server,
            status: status.code(),
            message: message.trim_end_matches('.').to_owned(),
            code,
        }
    }

    pub(crate) fn garbled(server: &Target, reason: impl fmt::Display) -> Self {
        Self::Garbled {
            server: server.to_string(),
            reason: reason.to_string(),
        }
    }

    /// Whether no connection came about, so that nothing was asked.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Unusable { .. }
            | Self::UnsendableToken
            | Self::Broken { .. }
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Garbled { .. } => false,
        }
    }

    /// Whether the connection is at fault, before or after it came about.
    pub(crate) fn is_of_connection(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            Self::Unusable { .. }
            | Self::UnsendableToken
            | Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Garbled { .. } => false,
        }
    }

    /// The protocol's error code, when the server sent one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Refused { code, .. } => *code,
            Self::Unusable { .. }
            | Self::UnsendableToken
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::TimedOut { .. }
            | Self::Garbled { .. } => None,
        }
    }
}

fn connect_failure(status: &Status) -> Option<String> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<ConnectError>() {
            return Some(innermost(error));
        }
        cause = error.source();
    }
    None
}

/// Whether the call certainly never reached a function: the request was not sent, or the server said that it would
/// not look at it. gRPC clients repeat such a call without telling anybody, for instance when it met a `GOAWAY`.
pub(crate) fn was_not_processed(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled)
        {
            return true;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>().filter(|error| error.is_remote()) {
            return match error.reason() {
                Some(Reason::REFUSED_STREAM) => error.is_reset(),
                Some(Reason::NO_ERROR) => error.is_go_away(),
                _ => false,
            };
        }
        cause = error.source();
    }
    false
}

/// The text of the error at the end of the chain, which is the one that tells.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    // An I/O error shows the one inside it but does not name it as its source.
    match innermost
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref)
    {
        Some(inside) => inside.to_string(),
        None => innermost.to_string(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
