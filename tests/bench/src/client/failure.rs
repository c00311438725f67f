//! How a call ended that did not end well.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use serde::Deserialize;

use super::frames::FrameError;

/// The code of a server that has no room, with its retry flags.
pub(crate) const BACKPRESSURE: u64 = 0x3_0066;

/// The code of a call that goes on; ask again.
pub(crate) const IN_PROGRESS: u64 = 0x1_0065;
/// The code of a call that was cancelled.
pub(crate) const CANCELLED: u64 = 6;
/// The code of a function that failed.
pub(crate) const FAILED: u64 = 5;

const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The status of a call, from its trailers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// gRPC's number; 0 is good.
    pub(crate) number: u32,
    /// gRPC's text.
    pub(crate) message: String,
    /// The `ErrorInfo`, where there is one.
    pub(crate) info: Option<ErrorInfo>,
}

/// What a server says about an error beyond its text.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct ErrorInfo {
    /// The code with its retry flags.
    pub(crate) code: u64,
    body: Option<String>,
}

/// How to go on with a call that is in progress; further members are of no interest here.
#[derive(Deserialize)]
struct RetryInfo {
    cancel_descriptor: String,
}

impl ErrorInfo {
    /// The encoded descriptor that cancels the call, when it is one that is in progress.
    pub(crate) fn cancel_descriptor(&self) -> Option<Vec<u8>> {
        let retry = TOLERANT.decode(self.body.as_ref()?).ok()?;
        let RetryInfo { cancel_descriptor } = serde_json::from_slice(&retry).ok()?;
        TOLERANT.decode(cancel_descriptor).ok()
    }
}

/// Why a call did not end with status 0 and a whole answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the call ended with status {}: {}", .0.number, .0.message)]
    Status(Status),
    #[error("the server answered with HTTP status {0}")]
    Http(http::StatusCode),
    #[error("the answer has no grpc-status")]
    NoStatus,
    #[error("the connection or stream broke")]
    Transport(#[from] h2::Error),
    #[error(transparent)]
    Frames(#[from] FrameError),
    #[error("the answer is not what was asked for: {0}")]
    Answer(String),
}

impl CallError {
    /// The server's `ErrorInfo`.
    pub(crate) const fn info(&self) -> Option<&ErrorInfo> {
        match self {
            Self::Status(status) => status.info.as_ref(),
            Self::Http(_) | Self::NoStatus | Self::Transport(_) | Self::Frames(_) | Self::Answer(_) => None,
        }
    }

    /// The code of the server's `ErrorInfo`.
    pub(crate) fn code(&self) -> Option<u64> {
        self.info().map(|info| info.code)
    }
}

/// The status in headers or trailers, if it is there.
pub(crate) fn status(headers: &HeaderMap) -> Option<Status> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Some(Status {
        number: text("grpc-status")?.parse().ok()?,
        message: text("grpc-message").map(percent_decoded).unwrap_or_default(),
        info: text("grpc-status-details-bin").and_then(info),
    })
}

/// gRPC's texts are percent-encoded; what is no code stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = (byte == b'%')
            .then(|| std::str::from_utf8(after.get(..2)?).ok())
            .flatten();
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn info(details: &str) -> Option<ErrorInfo> {
    serde_json::from_slice(&TOLERANT.decode(details).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_decoded() {
        assert_eq!(percent_decoded("no%20room: 5% of%C5%AF%"), "no room: 5% ofů%");
    }

    #[test]
    fn code_and_cancel_descriptor_are_in_the_details() {
        let mut headers = HeaderMap::new();
        assert_eq!(status(&headers), None);
        headers.insert("grpc-status", "4".parse().unwrap());
        let retry = TOLERANT.encode(r#"{"flight_info":null,"retry_descriptor":"cg==","cancel_descriptor":"Yw=="}"#);
        let details = TOLERANT.encode(format!(
            r#"{{"msg":"retry","detail":null,"code":65637,"body":"{retry}"}}"#
        ));
        headers.insert(
            "grpc-status-details-bin",
            details.trim_end_matches('=').parse().unwrap(),
        );
        let Status { number, info, .. } = status(&headers).unwrap();
        let info = info.unwrap();
        assert_eq!((number, info.code), (4, IN_PROGRESS));
        assert_eq!(info.cancel_descriptor().as_deref(), Some(&b"c"[..]));
    }
}
