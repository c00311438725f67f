//! Somebody else's words in a message of ours: one line, bounded, without secrets.

use std::fmt;

/// Characters of somebody else's text that go into a message of ours.
const TEXT_LIMIT: usize = 300;

/// What the other side said, short and clean, with what its support needs to find the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    pub(super) text: String,
    pub(super) status: Option<u16>,
    pub(super) trace_id: Option<String>,
}

impl Detail {
    /// A finding of our own.
    pub(super) fn finding(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            status: None,
            trace_id: None,
        }
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)?;
        match (self.status, &self.trace_id) {
            (Some(status), Some(trace)) => write!(formatter, " (HTTP {status}, traceId {trace})"),
            (Some(status), None) => write!(formatter, " (HTTP {status})"),
            (None, Some(trace)) => write!(formatter, " (traceId {trace})"),
            (None, None) => Ok(()),
        }
    }
}

/// Somebody else's text, fit for a status: one line, bounded, without the secrets that we sent.
pub(super) fn clean(text: &str, secrets: &[&str]) -> String {
    let mut text = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .fold(String::new(), |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        });
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "***");
    }
    match text.char_indices().nth(TEXT_LIMIT) {
        Some((end, _)) => {
            text.truncate(end);
            text + "…"
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_cut_flattened_and_without_secrets() {
        assert_eq!(clean("a\r\n\tb\u{7}c  d", &[]), "a b c d");
        assert_eq!(
            clean("token s3cret was refused", &["", "s3cret"]),
            "token *** was refused"
        );
        let long = clean(&"ä".repeat(1000), &[]);
        assert_eq!(long.chars().count(), TEXT_LIMIT + 1);
    }
}
