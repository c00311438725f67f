//! Headers, and the tokens in them.

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::metadata::MetadataMap;

use crate::auth;
use crate::config::TokenHeader;
use crate::function::Headers;
use crate::telemetry::spans;

/// The headers of a call, a line each. Lines without a name belong to `authorization`, `x-token`, `traceparent` and a
/// binary header by turns.
pub fn headers(bytes: &[u8]) {
    const NAMES: [HeaderName; 4] = [
        http::header::AUTHORIZATION,
        HeaderName::from_static("x-token"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("x-any-bin"),
    ];
    let headers = parse(bytes, |at| NAMES[at % NAMES.len()].clone());
    let own = TokenHeader::Custom {
        spelling: "X-Token".to_owned(),
        name: NAMES[1].clone(),
    };
    for header in [TokenHeader::Bearer, own] {
        auth::fuzz_token(&header, &headers);
    }
    spans::fuzz_trace_context(&headers);
    let count = headers.len();
    let seen = Headers::from_metadata(&MetadataMap::from_headers(headers));
    assert!(
        seen.iter().map(|(_, values)| values.len()).sum::<usize>() <= count,
        "headers that nobody sent"
    );
}

/// Lines of `name: value`; those without a name get one by their number.
pub(super) fn parse(bytes: &[u8], unnamed: impl Fn(usize) -> HeaderName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let named = line.iter().position(|byte| *byte == b':').and_then(|colon| {
            let (name, value) = line.split_at(colon);
            Some((HeaderName::from_bytes(name).ok()?, value.get(1..)?.trim_ascii_start()))
        });
        let (name, value) = named.unwrap_or_else(|| (unnamed(at), line));
        if let Ok(value) = HeaderValue::from_bytes(value) {
            let _ = headers.try_append(name, value);
        }
    }
    headers
}

/// A set of keys in the first line, and a token in the rest.
pub fn jwt(bytes: &[u8]) {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (keys, token) = bytes.split_at(line);
    let token = String::from_utf8_lossy(token.get(1..).unwrap_or_default());
    auth::fuzz_jwt(keys, token.trim());
}
