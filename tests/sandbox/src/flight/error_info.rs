//! What a FlexConnect server says beside the gRPC status: `ErrorInfo`, and in its body how to ask again.

use arrow_flight::FlightDescriptor;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

/// The header without which clients ignore the error details.
const ARROW_STATUS: &str = "x-arrow-status";
/// The code without its retry flags.
const CODE: u32 = 0xffff;
const RETRY_HERE: u32 = 0x1_0000;
const POLL: u32 = 101;

/// The JSON in the error details.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorInfo {
    pub(crate) msg: String,
    pub(crate) detail: Option<String>,
    /// With the retry flags in its upper half.
    pub(crate) code: u32,
    body: Option<String>,
}

/// How to ask for a result that is not ready, and how to give it up. The descriptors are the server's business.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retry {
    pub(crate) descriptor: FlightDescriptor,
    pub(crate) cancel: Option<FlightDescriptor>,
}

#[derive(Deserialize)]
struct RetryInfo {
    retry_descriptor: Option<String>,
    cancel_descriptor: Option<String>,
}

impl ErrorInfo {
    /// What the status carries, if a Flight client would see it.
    pub(crate) fn of(status: &Status) -> Option<Self> {
        status.metadata().get(ARROW_STATUS)?;
        serde_json::from_slice(status.details()).ok()
    }

    /// The code as the protocol names it, without flags.
    pub(crate) fn plain_code(&self) -> u32 {
        self.code & CODE
    }

    /// Set when the server asks to be asked again, here.
    pub(crate) fn retry(&self) -> Option<Retry> {
        if self.plain_code() != POLL || self.code & RETRY_HERE == 0 {
            return None;
        }
        let body = BASE64_STANDARD.decode(self.body.as_ref()?).ok()?;
        let info: RetryInfo = serde_json::from_slice(&body).ok()?;
        Some(Retry {
            descriptor: decode_descriptor(info.retry_descriptor.as_deref()?)?,
            cancel: info.cancel_descriptor.as_deref().and_then(decode_descriptor),
        })
    }
}

fn decode_descriptor(text: &str) -> Option<FlightDescriptor> {
    FlightDescriptor::decode(BASE64_STANDARD.decode(text).ok()?.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body of an answer of the original server.
    const BODY: &str = r#"{"flight_info":null,"retry_descriptor":"CAISInI6NGYzZDI2MTcyOGZhNGFlMTg4YmMxNTQxMTExODM2NDc=","cancel_descriptor":"CAISImM6NGYzZDI2MTcyOGZhNGFlMTg4YmMxNTQxMTExODM2NDc="}"#;

    fn info(code: u32) -> ErrorInfo {
        ErrorInfo {
            code,
            body: Some(BASE64_STANDARD.encode(BODY)),
            ..ErrorInfo::default()
        }
    }

    #[test]
    fn reads_retry_and_cancel_descriptors() {
        let retry = info(65637).retry().unwrap();
        assert_eq!(
            retry.descriptor,
            FlightDescriptor::new_cmd("r:4f3d261728fa4ae188bc154111183647")
        );
        assert_eq!(
            retry.cancel,
            Some(FlightDescriptor::new_cmd("c:4f3d261728fa4ae188bc154111183647"))
        );
    }

    #[test]
    fn only_poll_with_its_flag_is_asked_again() {
        assert_eq!(info(101).retry(), None);
        assert_eq!(info(196_710).retry(), None);
        assert_eq!(
            ErrorInfo {
                body: None,
                ..info(65637)
            }
            .retry(),
            None
        );
    }

    #[test]
    fn details_without_the_arrow_status_are_not_seen() {
        let details = br#"{"msg":"m","detail":null,"code":5,"body":null}"#.as_slice();
        let mut status = Status::with_details(tonic::Code::Unknown, "m", details.into());
        assert_eq!(ErrorInfo::of(&status), None);
        status.metadata_mut().insert(ARROW_STATUS, "5".parse().unwrap());
        assert_eq!(ErrorInfo::of(&status).unwrap().plain_code(), 5);
    }
}
