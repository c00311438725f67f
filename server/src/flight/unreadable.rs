//! Requests that are refused before a method sees them, in the words of Arrow Flight.
//!
//! tonic answers bytes that are no request with a bare status. Clients of Flight look for an `ErrorInfo` that names what
//! was wrong.

use http::Response;
use tonic::body::Body;
use tonic::{Code, Status};

use super::received;
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};

/// Every error of ours has this header; those of tonic do not.
const OURS: &str = "x-arrow-status";

const GRPC_STATUS: &str = "grpc-status";

/// The same answer, with an `ErrorInfo` where tonic refused to read the request.
pub(super) fn describe(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    if !headers.contains_key(GRPC_STATUS) || headers.contains_key(OURS) {
        return response;
    }
    match Status::from_header_map(headers) {
        Some(status) if is_about_the_request(status.code()) => Status::from(error(&status)).into_http(),
        // A method that Flight does not have: clients take its bare status for "not implemented", as the original's.
        Some(_) | None => response,
    }
}

fn is_about_the_request(code: Code) -> bool {
    matches!(code, Code::Internal | Code::OutOfRange | Code::ResourceExhausted)
}

/// What tonic says about a request that it cannot read: the bytes are no message, are too many, or end too early.
pub(crate) fn error(status: &Status) -> FlightError {
    if status.metadata().contains_key(OURS) {
        // The only error of ours that the body of a request ends with.
        return received::full();
    }
    let message = status.message();
    let reason = message
        .strip_prefix("failed to decode Protobuf message: ")
        .or_else(|| message.strip_prefix("Error, "))
        .unwrap_or(message);
    // Fields whose names are words of Rust have a mark there.
    let reason = reason.trim_end_matches('.').replace("r#", "");
    let text = format!("The request cannot be read: {reason}.");
    let kind = match status.code() {
        Code::OutOfRange | Code::ResourceExhausted => FlightKind::Server,
        Code::Cancelled => FlightKind::Cancelled,
        _ => FlightKind::Internal,
    };
    FlightError::new(kind, ErrorInfo::new(ErrorCode::BAD_ARGUMENT, text))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn described(status: Status) -> Status {
        let response = describe(status.into_http());
        Status::from_header_map(response.headers()).expect("an error")
    }

    #[rstest]
    #[case(
        Status::internal("failed to decode Protobuf message: Ticket.ticket: invalid wire type"),
        Code::Internal,
        "The request cannot be read: Ticket.ticket: invalid wire type."
    )]
    #[case(
        Status::internal("failed to decode Protobuf message: Action.r#type: buffer underflow"),
        Code::Internal,
        "The request cannot be read: Action.type: buffer underflow."
    )]
    #[case(
        Status::out_of_range("Error, decoded message length too large: found 9 bytes, the limit is: 8 bytes"),
        Code::Unknown,
        "The request cannot be read: decoded message length too large: found 9 bytes, the limit is: 8 bytes."
    )]
    fn what_is_wrong_is_named(#[case] status: Status, #[case] code: Code, #[case] message: &str) {
        let status = described(status);
        let info: serde_json::Value = serde_json::from_slice(status.details()).expect("ErrorInfo");
        assert_eq!((status.code(), info["code"].as_i64()), (code, Some(1)));
        assert_eq!(info["msg"], message);
    }

    #[test]
    fn an_upload_without_room_is_to_come_again() {
        let error = error(&Status::from(received::full()));
        assert_eq!(error.code(), Some(ErrorCode::BACKPRESSURE));
    }

    #[test]
    fn our_errors_and_unknown_methods_stay_as_they_are() {
        let ours = Status::from(FlightError::new(
            FlightKind::Internal,
            ErrorInfo::new(ErrorCode::new(1500), "m"),
        ));
        assert_eq!(described(ours.clone()).details(), ours.details());
        let unknown = described(Status::unimplemented(""));
        assert_eq!((unknown.code(), unknown.details()), (Code::Unimplemented, &b""[..]));
    }
}
