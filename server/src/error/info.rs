//! `ErrorInfo`: the JSON that Flight clients find in an error's `extra_info`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::Serialize;

use super::ErrorCode;

/// Characters of a message, or of a detail, that travel; the rest is cut off.
const MESSAGE_LIMIT: usize = 256;
const DETAIL_LIMIT: usize = 512;

const CUT_MARK: &str = " [truncated]";

/// What is wrong, in a form that programs can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorInfo {
    message: String,
    detail: Option<String>,
    code: ErrorCode,
    body: Option<Bytes>,
}

impl ErrorInfo {
    /// An error with this code. A message over 256 characters is cut and says so.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            message: cut(message.into(), MESSAGE_LIMIT),
            detail: None,
            code,
            body: None,
        }
    }

    /// Adds text for diagnosis, cut at 512 characters. Clients see it: no tracebacks, paths or secrets.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(cut(detail.into(), DETAIL_LIMIT));
        self
    }

    /// Adds bytes that mean something together with the code. Up to 1.5 KB are sure to arrive; a body that does not
    /// fit into the trailers of a response is left out.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into()).filter(|body| !body.is_empty());
        self
    }

    /// The text for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The text for diagnosis.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The code with its retry flags.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The bytes that belong to the code.
    #[must_use]
    pub const fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }

    /// The same error within smaller limits (in characters); without its body unless `keep_body`.
    pub(super) fn shortened(&self, message: usize, detail: usize, keep_body: bool) -> Self {
        let detail = match &self.detail {
            Some(text) if detail > 0 => Some(recut(text, detail, DETAIL_LIMIT)),
            Some(_) | None => None,
        };
        Self {
            message: recut(&self.message, message, MESSAGE_LIMIT),
            detail,
            code: self.code,
            body: self.body.clone().filter(|_| keep_body),
        }
    }

    /// Compact JSON with the four keys that clients expect, in their order.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "strings and numbers are always JSON")]
    pub fn to_json(&self) -> Bytes {
        #[derive(Serialize)]
        struct Wire<'a> {
            msg: &'a str,
            detail: Option<&'a str>,
            code: i32,
            body: Option<String>,
        }
        let wire = Wire {
            msg: &self.message,
            detail: self.detail.as_deref(),
            code: self.code.wire(),
            body: self.body.as_ref().map(|body| BASE64_STANDARD.encode(body)),
        };
        serde_json::to_vec(&wire)
            .expect("strings and numbers are always JSON")
            .into()
    }
}

/// At most `limit` characters of a text, and a mark when there were more.
pub(super) fn cut(mut text: String, limit: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(limit) {
        text.truncate(end);
        text.push_str(CUT_MARK);
    }
    text
}

/// Cuts a text that was already cut at `earlier` characters: its mark does not count as text.
fn recut(text: &str, limit: usize, earlier: usize) -> String {
    if limit < earlier {
        cut(text.to_owned(), limit)
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_compact_and_in_order() {
        let info = ErrorInfo::new(ErrorCode::BAD_ARGUMENT, "Unsupported FlexConnect function 'x'.");
        assert_eq!(
            info.to_json(),
            r#"{"msg":"Unsupported FlexConnect function 'x'.","detail":null,"code":1,"body":null}"#
        );
    }

    #[test]
    fn body_is_padded_base64_and_text_stays_utf8() {
        let info = ErrorInfo::new(ErrorCode::POLL, "žluťoučký")
            .with_detail("kůň")
            .with_body(&b"r:1"[..]);
        assert_eq!(
            info.to_json(),
            r#"{"msg":"žluťoučký","detail":"kůň","code":65637,"body":"cjox"}"#
        );
        let info = ErrorInfo::new(ErrorCode::POLL, "m").with_body(&b"r"[..]);
        assert_eq!(
            info.to_json(),
            r#"{"msg":"m","detail":null,"code":65637,"body":"cg=="}"#
        );
    }

    #[test]
    fn an_empty_body_is_no_body() {
        let info = ErrorInfo::new(ErrorCode::POLL, "m").with_body(Bytes::new());
        assert_eq!(info.body(), None);
    }

    #[test]
    fn texts_are_cut_at_characters_not_bytes() {
        let exact = "ů".repeat(256);
        assert_eq!(ErrorInfo::new(ErrorCode::UNKNOWN, exact.clone()).message(), exact);

        let info = ErrorInfo::new(ErrorCode::UNKNOWN, "ů".repeat(257)).with_detail("d".repeat(513));
        assert_eq!(info.message(), format!("{exact} [truncated]"));
        assert_eq!(info.message().chars().count(), 268);
        assert_eq!(info.detail(), Some(format!("{} [truncated]", "d".repeat(512)).as_str()));
    }

    #[test]
    fn shortening_to_the_same_limits_changes_nothing() {
        let info = ErrorInfo::new(ErrorCode::UNKNOWN, "m".repeat(300))
            .with_detail("d".repeat(600))
            .with_body("b");
        assert_eq!(info.shortened(256, 512, true), info);
    }

    proptest! {
        #[test]
        fn cutting_keeps_a_prefix(text in ".{0,300}", limit in 0_usize..300) {
            let short = cut(text.clone(), limit);
            if text.chars().count() > limit {
                let prefix = short.strip_suffix(CUT_MARK).expect("the mark");
                prop_assert!(text.starts_with(prefix));
                prop_assert_eq!(prefix.chars().count(), limit);
            } else {
                prop_assert_eq!(short, text);
            }
        }
    }
}
