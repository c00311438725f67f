//! Errors that another process wrote, before clients see them: without tracebacks, and small enough for every client.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;
use tonic::{Code, Status};

use super::info::cut;
use super::status::{
    ARROW_DETAIL, ARROW_MESSAGE, BUDGET, GRPC_DETAILS, GRPC_MESSAGE, GRPC_STATUS, HEADER_OVERHEAD, PLAIN_MESSAGE_LIMIT,
};

/// How pyarrow begins what it says of an exception that is no Flight error.
const EXCEPTION: &str = "Python exception: ";

/// What comes before it in the message of the status.
const DETAIL: &str = ". Detail: ";

/// Characters of the diagnostic text in an `ErrorInfo` that is too large.
const SHORT_DETAIL: usize = 256;

/// The trailers that a client is told; those that are fine stay as they are.
///
/// pyarrow puts the traceback of an exception into the message and into a trailer of its own, and sets no limit to either.
pub(crate) fn tidy(mut trailers: HeaderMap, tracebacks: bool) -> HeaderMap {
    let Some(status) = Status::from_header_map(&trailers).filter(|status| status.code() != Code::Ok) else {
        return trailers;
    };
    let detail = text(&trailers, ARROW_DETAIL).unwrap_or_default();
    let is_exception = detail.starts_with(EXCEPTION);
    let small = size(&trailers) <= BUDGET;
    if small && (tracebacks || !is_exception) {
        return trailers;
    }
    let mut message = status.message();
    if is_exception {
        message = message
            .split_once(&format!("{DETAIL}{EXCEPTION}"))
            .map_or(message, |(own, _)| own);
        trailers.remove(ARROW_DETAIL);
    }
    let mut message = message.to_owned();
    let mut details = Bytes::copy_from_slice(status.details());
    if !small {
        message = cut(message, PLAIN_MESSAGE_LIMIT);
        details = shortened(&details);
        if let Some(own) = text(&trailers, ARROW_MESSAGE) {
            let own = BASE64_STANDARD_NO_PAD.encode(cut(own, PLAIN_MESSAGE_LIMIT));
            if let Ok(own) = HeaderValue::from_str(&own) {
                trailers.insert(ARROW_MESSAGE, own);
            }
        }
    }
    for name in [GRPC_STATUS, GRPC_MESSAGE, GRPC_DETAILS] {
        trailers.remove(name);
    }
    // Not refused: what it writes is escaped.
    let _ = Status::with_details(status.code(), message, details).add_header(&mut trailers);
    trailers
}

/// The vendor's `ErrorInfo` without its body, and with no more text than others have; nothing when it is something else.
fn shortened(details: &[u8]) -> Bytes {
    let Ok(Value::Object(mut info)) = serde_json::from_slice(details) else {
        return Bytes::new();
    };
    info.insert("body".to_owned(), Value::Null);
    for (name, limit) in [("msg", PLAIN_MESSAGE_LIMIT), ("detail", SHORT_DETAIL)] {
        if let Some(Value::String(text)) = info.get_mut(name) {
            *text = cut(std::mem::take(text), limit);
        }
    }
    info.retain(|name, _| ["msg", "detail", "code", "body"].contains(&name.as_str()));
    Value::Object(info).to_string().into()
}

/// The text of a binary trailer.
fn text(trailers: &HeaderMap, name: &str) -> Option<String> {
    let value = trailers.get(name)?.as_bytes();
    let decoded = BASE64_STANDARD_NO_PAD
        .decode(value)
        .or_else(|_| BASE64_STANDARD.decode(value));
    Some(String::from_utf8_lossy(&decoded.ok()?).into_owned())
}

fn size(trailers: &HeaderMap) -> usize {
    let sizes = trailers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD);
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers(message: &str, own: &str, detail: &str, details: &[u8]) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        let status = Status::with_details(Code::NotFound, message, Bytes::copy_from_slice(details));
        status.add_header(&mut trailers).unwrap();
        for (name, value) in [(ARROW_MESSAGE, own), (ARROW_DETAIL, detail)] {
            trailers.insert(name, BASE64_STANDARD.encode(value).parse().unwrap());
        }
        trailers.insert("x-own", "kept".parse().unwrap());
        trailers
    }

    #[test]
    fn a_traceback_stays_here_unless_it_is_asked_for() {
        let traceback = "Python exception: Traceback (most recent call last):\n  File \"/app/x.py\"\nKeyError: 'x'\n";
        let told = trailers(&format!("'x'. Detail: {traceback}"), "'x'", traceback, b"");
        let tidied = tidy(told.clone(), false);
        let status = Status::from_header_map(&tidied).unwrap();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "'x'"));
        assert_eq!(text(&tidied, ARROW_MESSAGE).as_deref(), Some("'x'"));
        assert_eq!(tidied.get(ARROW_DETAIL), None);
        assert_eq!(tidied["x-own"], "kept");
        assert_eq!(tidy(told.clone(), true), told);
    }

    #[test]
    fn what_is_fine_stays_as_it_is() {
        let told = trailers("no. Detail: Failed", "no", "Failed", br#"{"code": 5, "msg": "no"}"#);
        assert_eq!(tidy(told.clone(), false), told);
        let mut fine = HeaderMap::new();
        fine.insert(GRPC_STATUS, "0".parse().unwrap());
        assert_eq!(tidy(fine.clone(), false), fine);
    }

    #[test]
    fn what_is_too_large_for_clients_is_cut_and_the_code_stays() {
        let long = "ü".repeat(9_000);
        let info = serde_json::json!({"msg": long, "detail": long, "code": 5, "body": long, "more": long}).to_string();
        for details in [info.as_bytes(), long.as_bytes()] {
            let tidied = tidy(trailers(&long, &long, "Failed", details), false);
            assert!(size(&tidied) <= BUDGET, "{}", size(&tidied));
            let status = Status::from_header_map(&tidied).unwrap();
            assert!(status.message().starts_with("üüü"));
            assert_eq!(text(&tidied, ARROW_DETAIL).as_deref(), Some("Failed"));
            let code = serde_json::from_slice::<Value>(status.details())
                .ok()
                .map(|info| info["code"].clone());
            assert_eq!(code, (details == info.as_bytes()).then(|| 5.into()));
        }
    }
}
