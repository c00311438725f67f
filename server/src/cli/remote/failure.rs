//! Why a server elsewhere gave no answer, in one sentence; and what it says to those who poll.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use arrow_flight::FlightDescriptor;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

use crate::error::ErrorCode;

/// Why a server elsewhere gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    #[error("'{url}' is not the URL of a server: write grpc://HOST:PORT, or grpc+tls://HOST:PORT")]
    Url { url: String },
    #[error("'{name}' is not a header that can be sent: write NAME:VALUE in printable ASCII")]
    Header { name: String },
    #[error("{} cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot reach {url}: {reason}")]
    Unreachable { url: String, reason: String },
    /// The server's own words.
    #[error("{url} answered: {message} [{code}]{}", detail.as_ref().map(|detail| format!("; detail: {detail}")).unwrap_or_default())]
    Refused {
        url: String,
        message: String,
        /// The code of the protocol with its name, or else that of gRPC.
        code: String,
        detail: Option<String>,
    },
    #[error("{url} sent an answer that cannot be read: {reason}")]
    Garbled { url: String, reason: String },
}

/// The JSON in the details of a status.
#[derive(Deserialize)]
struct SentInfo {
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    code: i32,
    #[serde(default)]
    body: Option<String>,
}

/// Work goes on: how to ask again, and how to cancel.
#[derive(Debug, PartialEq)]
pub(super) struct Poll {
    pub(super) retry: FlightDescriptor,
    pub(super) cancel: FlightDescriptor,
}

impl RemoteError {
    pub(super) fn unreachable(url: &str, error: &dyn StdError) -> Self {
        Self::Unreachable {
            url: url.to_owned(),
            reason: innermost(error),
        }
    }

    pub(super) fn garbled(url: &str, reason: &impl ToString) -> Self {
        Self::Garbled {
            url: url.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn of_status(url: &str, status: &Status) -> Self {
        if let Some(cause) = status.source() {
            return Self::unreachable(url, cause);
        }
        let info = SentInfo::of(status);
        let (message, code, detail) = match info {
            Some(info) => (info.msg, ErrorCode::new(info.code).to_string(), info.detail),
            None => (None, format!("{:?}", status.code()), None),
        };
        let message = message.unwrap_or_else(|| status.message().to_owned());
        Self::Refused {
            url: url.to_owned(),
            message: message.trim_end_matches('.').to_owned(),
            code,
            detail: detail.and_then(|detail| detail.lines().next().map(str::to_owned)),
        }
    }
}

impl SentInfo {
    fn of(status: &Status) -> Option<Self> {
        serde_json::from_slice(status.details()).ok()
    }
}

impl Poll {
    /// What a status says to somebody who polls; `None` when it is an error.
    pub(super) fn of(status: &Status) -> Option<Self> {
        #[derive(Deserialize)]
        struct RetryInfo {
            retry_descriptor: String,
            cancel_descriptor: String,
        }
        let info = SentInfo::of(status)?;
        if ErrorCode::new(info.code) != ErrorCode::POLL {
            return None;
        }
        let body = BASE64_STANDARD.decode(info.body?).ok()?;
        let body: RetryInfo = serde_json::from_slice(&body).ok()?;
        let descriptor = |text: &str| FlightDescriptor::decode(&*BASE64_STANDARD.decode(text).ok()?).ok();
        Some(Self {
            retry: descriptor(&body.retry_descriptor)?,
            cancel: descriptor(&body.cancel_descriptor)?,
        })
    }
}

/// The door of the fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_answer(status: &Status) {
    let _ = Poll::of(status);
    let told = RemoteError::of_status("grpc://h:1", status).to_string();
    assert!(told.starts_with("grpc://h:1 answered: "), "an error of somebody else");
}

/// The text of the last cause, which is the one that tells.
fn innermost(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::{ErrorInfo, FlightError, FlightKind};

    fn text(error: FlightError) -> String {
        RemoteError::of_status("grpc://h:1", &Status::from(error)).to_string()
    }

    #[test]
    fn errors_are_one_sentence_with_code_and_detail() {
        assert_eq!(
            text(FlightError::bad_argument("Unsupported FlexConnect function 'x'.")),
            "grpc://h:1 answered: Unsupported FlexConnect function 'x' [bad_argument (1)]"
        );
        let info = ErrorInfo::new(ErrorCode::new(1500), "Quota exceeded").with_detail("ten calls\na day");
        assert_eq!(
            text(FlightError::new(FlightKind::Unauthorized, info)),
            "grpc://h:1 answered: Quota exceeded [custom (1500)]; detail: ten calls"
        );
        assert_eq!(
            RemoteError::of_status("grpc://h:1", &Status::unauthenticated("who are you?")).to_string(),
            "grpc://h:1 answered: who are you? [Unauthenticated]"
        );
    }

    /// What the server tells who polls, as it is on the wire.
    fn work_in_progress() -> FlightError {
        let descriptor =
            |command: &str| BASE64_STANDARD.encode(FlightDescriptor::new_cmd(command.to_owned()).encode_to_vec());
        let body = json!({
            "flight_info": null, "retry_descriptor": descriptor("r:1a"), "cancel_descriptor": descriptor("c:1a"),
        });
        let info = ErrorInfo::new(ErrorCode::POLL, "Work in progress. Retry.").with_body(body.to_string());
        FlightError::new(FlightKind::TimedOut, info)
    }

    #[test]
    fn work_in_progress_is_no_error() {
        let poll = Poll::of(&Status::from(work_in_progress())).expect("work goes on");
        assert_eq!(poll.retry, FlightDescriptor::new_cmd("r:1a"));
        assert_eq!(poll.cancel, FlightDescriptor::new_cmd("c:1a"));
        assert_eq!(Poll::of(&Status::from(FlightError::timed_out("late"))), None);
        assert_eq!(Poll::of(&Status::internal("broken")), None);
    }
}
