//! The one place where an error becomes a gRPC status.
//!
//! Arrow clients read four trailers beside `grpc-status` and `grpc-message`. gRPC clients refuse responses whose metadata
//! is large: from 8 KB on at random, above 16 KB always, and the class of the error is lost with it. So all trailers of an
//! error together have one budget, far below that, and the parts that matter least go first.

use bytes::Bytes;
use http::HeaderMap;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use super::info::cut;
use super::{ErrorInfo, FlightError, FlightKind};

/// Bytes that all trailers of an error may take together, counted as HTTP/2 does.
pub(super) const BUDGET: usize = 5 * 1024;

/// What HTTP/2 counts for a header on top of its name and value.
pub(super) const HEADER_OVERHEAD: usize = 32;

const ARROW_STATUS: &str = "x-arrow-status";
pub(super) const ARROW_MESSAGE: &str = "x-arrow-status-message-bin";
pub(super) const ARROW_DETAIL: &str = "x-arrow-status-detail-bin";
pub(super) const GRPC_STATUS: &str = "grpc-status";
pub(super) const GRPC_MESSAGE: &str = "grpc-message";
pub(super) const GRPC_DETAILS: &str = "grpc-status-details-bin";

/// Characters of a message that has no `ErrorInfo` to cut it.
pub(super) const PLAIN_MESSAGE_LIMIT: usize = 256;

/// What an `ErrorInfo` is cut down to until it fits: characters of message and detail, and whether the body stays.
const STEPS: [(usize, usize, bool); 12] = [
    (256, 512, true),
    (256, 256, true),
    (256, 128, true),
    (256, 0, true),
    (128, 0, true),
    (64, 0, true),
    (256, 512, false),
    (256, 256, false),
    (256, 128, false),
    (256, 0, false),
    (128, 0, false),
    (64, 0, false),
];

/// Numbers of Arrow's own status codes.
#[derive(Clone, Copy)]
enum ArrowStatus {
    Invalid,
    IoError,
    NotImplemented,
}

impl ArrowStatus {
    const fn number(self) -> &'static str {
        match self {
            Self::Invalid => "4",
            Self::IoError => "5",
            Self::NotImplemented => "10",
        }
    }
}

impl From<FlightError> for Status {
    fn from(error: FlightError) -> Self {
        trailers(&error).into_status()
    }
}

/// The sentence that trailers of an error tell: Arrow's, which has nothing added to it, or else gRPC's.
pub(crate) fn message_of(trailers: &HeaderMap) -> String {
    let Some(status) = Status::from_header_map(trailers) else {
        return String::new();
    };
    let arrow = status.metadata().get_bin(ARROW_MESSAGE);
    let arrow = arrow.and_then(|message| message.to_bytes().ok());
    arrow.map_or_else(
        || status.message().to_owned(),
        |message| String::from_utf8_lossy(&message).into_owned(),
    )
}

/// The trailers of one error, not yet encoded.
struct Trailers {
    code: Code,
    message: String,
    arrow_status: ArrowStatus,
    arrow_message: String,
    arrow_detail: Option<&'static str>,
    details: Option<Bytes>,
}

fn trailers(error: &FlightError) -> Trailers {
    match error {
        FlightError::Described { kind, info } => fit(*kind, info),
        FlightError::Plain { kind, message } => of_kind(*kind, &cut(message.clone(), PLAIN_MESSAGE_LIMIT), None),
        FlightError::InvalidArgument(message) => {
            let message = cut(message.clone(), PLAIN_MESSAGE_LIMIT);
            Trailers {
                code: Code::InvalidArgument,
                message: message.clone(),
                arrow_status: ArrowStatus::Invalid,
                arrow_message: message,
                arrow_detail: None,
                details: None,
            }
        }
        FlightError::Unimplemented(message) => {
            let message = cut(message.clone(), PLAIN_MESSAGE_LIMIT);
            Trailers {
                code: Code::Unimplemented,
                arrow_status: ArrowStatus::NotImplemented,
                arrow_message: format!("Flight returned unimplemented error, with message: {message}"),
                arrow_detail: None,
                details: None,
                message,
            }
        }
    }
}

/// The fullest form of an `ErrorInfo` that keeps within the budget.
fn fit(kind: FlightKind, info: &ErrorInfo) -> Trailers {
    let attempt = |(message, detail, body): (usize, usize, bool)| {
        let info = info.shortened(message, detail, body);
        of_kind(kind, info.message(), Some(info.to_json()))
    };
    let [first, others @ ..] = STEPS;
    let mut trailers = attempt(first);
    for step in others {
        if trailers.encoded_len() <= BUDGET {
            break;
        }
        trailers = attempt(step);
    }
    trailers
}

fn of_kind(kind: FlightKind, message: &str, details: Option<Bytes>) -> Trailers {
    Trailers {
        code: kind.grpc(),
        message: format!("{message}. Detail: {}", kind.word()),
        arrow_status: ArrowStatus::IoError,
        arrow_message: message.to_owned(),
        arrow_detail: Some(kind.word()),
        details,
    }
}

impl Trailers {
    /// What the trailers take on the wire, at most: `grpc-message` is counted as if all but plain letters were escaped.
    fn encoded_len(&self) -> usize {
        let header = |name: &str, value: usize| name.len() + value + HEADER_OVERHEAD;
        let message: usize = self
            .message
            .bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 })
            .sum();
        header(GRPC_STATUS, 2)
            + header(GRPC_MESSAGE, message)
            + header(ARROW_STATUS, self.arrow_status.number().len())
            + header(ARROW_MESSAGE, base64_len(self.arrow_message.len()))
            + self
                .arrow_detail
                .map_or(0, |detail| header(ARROW_DETAIL, base64_len(detail.len())))
            + self
                .details
                .as_ref()
                .map_or(0, |details| header(GRPC_DETAILS, base64_len(details.len())))
    }

    fn into_status(self) -> Status {
        let mut metadata = MetadataMap::with_capacity(3);
        metadata.insert(ARROW_STATUS, MetadataValue::from_static(self.arrow_status.number()));
        metadata.insert_bin(ARROW_MESSAGE, MetadataValue::from_bytes(self.arrow_message.as_bytes()));
        if let Some(detail) = self.arrow_detail {
            metadata.insert_bin(ARROW_DETAIL, MetadataValue::from_bytes(detail.as_bytes()));
        }
        Status::with_details_and_metadata(self.code, self.message, self.details.unwrap_or_default(), metadata)
    }
}

/// Length of base64 without padding.
const fn base64_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests;
