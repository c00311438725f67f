use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::error::ErrorCode;

/// The trailers as tonic writes them.
fn on_the_wire(error: FlightError) -> HeaderMap {
    let mut headers = HeaderMap::new();
    Status::from(error)
        .add_header(&mut headers)
        .expect("every error can be written");
    headers
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers[name].to_str().expect("trailers are ASCII")
}

fn decoded(headers: &HeaderMap, name: &str) -> Vec<u8> {
    BASE64_STANDARD_NO_PAD
        .decode(text(headers, name))
        .expect("binary trailers are unpadded base64")
}

fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD)
        .sum()
}

#[test]
fn a_described_error_has_the_four_trailers() {
    let message = "Incorrect FlexConnect function invocation. The invocation payload does not specify 'functionName'.";
    let headers = on_the_wire(FlightError::bad_argument(message));

    assert_eq!(text(&headers, "grpc-status"), "2");
    assert_eq!(
        text(&headers, "grpc-message"),
        format!("{message}. Detail: Failed").replace(' ', "%20")
    );
    assert_eq!(text(&headers, "x-arrow-status"), "5");
    assert_eq!(decoded(&headers, "x-arrow-status-message-bin"), message.as_bytes());
    assert_eq!(text(&headers, "x-arrow-status-detail-bin"), "RmFpbGVk");
    assert_eq!(
        decoded(&headers, "grpc-status-details-bin"),
        format!(r#"{{"msg":"{message}","detail":null,"code":1,"body":null}}"#).as_bytes()
    );
    assert_eq!(headers.len(), 6);
}

#[test]
fn the_sentence_is_read_from_trailers_as_it_was_written() {
    let message = "100 % ünïcode, and a dot.";
    assert_eq!(message_of(&on_the_wire(FlightError::bad_argument(message))), message);
    let mut of_grpc_alone = HeaderMap::new();
    Status::not_found("no such service")
        .add_header(&mut of_grpc_alone)
        .unwrap();
    assert_eq!(message_of(&of_grpc_alone), "no such service");
    assert_eq!(message_of(&HeaderMap::new()), "");
}

#[test]
fn each_kind_has_its_status_and_word() {
    let kinds = [
        (FlightKind::Server, "2", "Failed"),
        (FlightKind::Internal, "13", "Internal"),
        (FlightKind::TimedOut, "4", "TimedOut"),
        (FlightKind::Cancelled, "1", "Cancelled"),
        (FlightKind::Unavailable, "14", "Unavailable"),
        (FlightKind::Unauthenticated, "16", "Unauthenticated"),
        (FlightKind::Unauthorized, "7", "Unauthorized"),
    ];
    for (kind, number, word) in kinds {
        let headers = on_the_wire(FlightError::new(kind, ErrorInfo::new(ErrorCode::UNKNOWN, "m")));
        assert_eq!(text(&headers, "grpc-status"), number);
        assert_eq!(text(&headers, "grpc-message"), format!("m.%20Detail:%20{word}"));
        assert_eq!(decoded(&headers, "x-arrow-status-detail-bin"), word.as_bytes());
    }
}

#[test]
fn authentication_has_no_details() {
    let headers = on_the_wire(FlightError::unauthenticated("Authentication token is not valid."));
    assert_eq!(text(&headers, "x-arrow-status"), "5");
    assert_eq!(
        decoded(&headers, "x-arrow-status-message-bin"),
        b"Authentication token is not valid."
    );
    assert!(!headers.contains_key("grpc-status-details-bin"));
}

#[test]
fn a_request_that_is_none_is_invalid_argument() {
    let headers = on_the_wire(FlightError::InvalidArgument(
        "Client sent UNKNOWN descriptor type".into(),
    ));
    assert_eq!(text(&headers, "grpc-status"), "3");
    assert_eq!(text(&headers, "x-arrow-status"), "4");
    assert_eq!(
        text(&headers, "grpc-message"),
        "Client%20sent%20UNKNOWN%20descriptor%20type"
    );
    assert_eq!(
        decoded(&headers, "x-arrow-status-message-bin"),
        b"Client sent UNKNOWN descriptor type"
    );
    assert_eq!(headers.len(), 4);
}

#[test]
fn a_missing_method_is_not_implemented_for_arrow_too() {
    let headers = on_the_wire(FlightError::Unimplemented("NYI".into()));
    assert_eq!(text(&headers, "grpc-status"), "12");
    assert_eq!(text(&headers, "grpc-message"), "NYI");
    assert_eq!(text(&headers, "x-arrow-status"), "10");
    assert_eq!(
        decoded(&headers, "x-arrow-status-message-bin"),
        b"Flight returned unimplemented error, with message: NYI"
    );
    assert!(!headers.contains_key("grpc-status-details-bin"));
}

#[test]
fn the_detail_goes_before_the_body() {
    let info = ErrorInfo::new(ErrorCode::new(1500), "m")
        .with_detail("d".repeat(512))
        .with_body(vec![7_u8; 2500]);
    let headers = on_the_wire(FlightError::new(FlightKind::Server, info));
    let info: Value = serde_json::from_slice(&decoded(&headers, "grpc-status-details-bin")).expect("still JSON");
    assert_eq!(info["body"].as_str().map(str::len), Some(3336));
    assert!(info["detail"].as_str().is_some_and(|detail| detail.len() < 512));
}

#[test]
fn a_body_that_cannot_fit_leaves_the_rest_whole() {
    let info = ErrorInfo::new(ErrorCode::new(1500), "m")
        .with_detail("d")
        .with_body(vec![7_u8; 100_000]);
    let headers = on_the_wire(FlightError::new(FlightKind::Server, info));
    assert_eq!(
        decoded(&headers, "grpc-status-details-bin"),
        br#"{"msg":"m","detail":"d","code":1500,"body":null}"#
    );
}

fn errors() -> impl Strategy<Value = FlightError> {
    let kind = prop_oneof![
        Just(FlightKind::Server),
        Just(FlightKind::Internal),
        Just(FlightKind::TimedOut),
        Just(FlightKind::Cancelled),
        Just(FlightKind::Unavailable),
        Just(FlightKind::Unauthenticated),
        Just(FlightKind::Unauthorized),
    ];
    let text = || {
        prop_oneof![
            "\\PC{0,600}",
            "[\\x00-\\x1f\"\\\\]{0,600}",
            "[\u{1f600}-\u{1f64f}]{0,600}"
        ]
    };
    let info = (kind, any::<i32>(), text(), proptest::option::of(text()), 0_usize..9000).prop_map(
        |(kind, code, message, detail, body)| {
            let mut info = ErrorInfo::new(ErrorCode::new(code), message).with_body(vec![b'b'; body]);
            if let Some(detail) = detail {
                info = info.with_detail(detail);
            }
            FlightError::new(kind, info)
        },
    );
    prop_oneof![
        4 => info,
        1 => text().prop_map(FlightError::unauthenticated),
        1 => text().prop_map(FlightError::InvalidArgument),
        1 => text().prop_map(FlightError::Unimplemented),
    ]
}

proptest! {
    /// Whatever a function or a client puts into an error, a gRPC client accepts the trailers and can decode them.
    #[test]
    fn trailers_keep_within_the_budget_and_stay_readable(error in errors()) {
        let described = matches!(error, FlightError::Described { .. });
        let small_body = match &error {
            FlightError::Described { info, .. } => info.body().filter(|body| body.len() <= 1536).cloned(),
            FlightError::Plain { .. } | FlightError::InvalidArgument(_) | FlightError::Unimplemented(_) => None,
        };
        let headers = on_the_wire(error);
        prop_assert!(size(&headers) <= BUDGET, "{} bytes", size(&headers));
        prop_assert!(String::from_utf8(decoded(&headers, ARROW_MESSAGE)).is_ok());
        if described {
            let info: Value = serde_json::from_slice(&decoded(&headers, GRPC_DETAILS)).expect("ErrorInfo is JSON");
            let keys: Vec<_> = info.as_object().expect("an object").keys().collect();
            prop_assert_eq!(keys, ["msg", "detail", "code", "body"]);
            if let Some(body) = small_body {
                prop_assert_eq!(info["body"].as_str(), Some(&*BASE64_STANDARD.encode(body)));
            }
            prop_assert_eq!(info["msg"].as_str().map(str::as_bytes), Some(&*decoded(&headers, ARROW_MESSAGE)));
        }
    }
}
