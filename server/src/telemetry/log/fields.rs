//! What one event or span says: its keys in order, each with its value as JSON text, in one reused buffer.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::Number;
use tracing::field::{Field, Visit};

/// The field of tracing under which the text of a log call arrives: for us, the event's name.
const MESSAGE: &str = "message";

/// The field that comes after all others.
const EXCEPTION: &str = "exception";

/// A field of this prefix holds JSON text, which becomes part of the line.
const NESTED: &str = "json.";

/// A field that holds JSON text of an object, whose keys stand beside the others. Who gives it avoids their names.
const FLAT: &str = "json.flat";

/// A field that names the logger, where it is not one of ours.
const LOGGER: &str = "as_logger";

/// The keys of an event or of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    text: String,
    name: Range<usize>,
    exception: Option<Range<usize>>,
    flat: Option<Range<usize>>,
    logger: Option<Range<usize>>,
    keys: Vec<(&'static str, Range<usize>)>,
}

impl Fields {
    /// None so far, with room for those that a span has: made once a call, they should not have to grow.
    pub(super) fn of_span() -> Self {
        const TEXT: usize = 192;
        const KEYS: usize = 4;
        Self {
            text: String::with_capacity(TEXT),
            keys: Vec::with_capacity(KEYS),
            ..Self::default()
        }
    }

    /// The fields of an event with one number, for what logs without being able to.
    pub(super) fn of_number(name: &'static str, key: &'static str, number: u64) -> Self {
        let mut fields = Self::default();
        let _ = write!(fields.text, "\"{name}\"");
        fields.name = 0..fields.text.len();
        let _ = write!(fields.text, "{number}");
        fields.keys.push((key, fields.name.end..fields.text.len()));
        fields
    }

    /// Forgets everything but the room it took.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.keys.clear();
        self.name = 0..0;
        self.exception = None;
        self.flat = None;
        self.logger = None;
    }

    /// The event's name as JSON text, empty where there is none.
    pub(super) fn name(&self) -> &str {
        &self.text[self.name.clone()]
    }

    /// What went wrong, as JSON text.
    pub(super) fn exception(&self) -> Option<&str> {
        self.exception.clone().map(|range| &self.text[range])
    }

    /// Keys and values in JSON that stand in the line as they are, without the braces around them.
    pub(super) fn flat(&self) -> Option<&str> {
        let object = &self.text[self.flat.clone()?];
        let inner = object.strip_prefix('{')?.strip_suffix('}')?.trim();
        Some(inner).filter(|inner| !inner.is_empty())
    }

    /// Who logs, as the inside of a JSON string, where it is not the module.
    pub(super) fn logger(&self) -> Option<&str> {
        let text = &self.text[self.logger.clone()?];
        text.strip_prefix('"')?.strip_suffix('"')
    }

    /// The keys in the order they were given, with values as JSON text.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.keys.iter().map(|(key, range)| (*key, &self.text[range.clone()]))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|(own, _)| *own == key)
    }

    /// Takes over the keys of another that are not there yet.
    pub(super) fn inherit(&mut self, other: &Self) {
        for (key, value) in other.keys() {
            if !self.has(key) {
                let start = self.text.len();
                self.text.push_str(value);
                self.keys.push((key, start..self.text.len()));
            }
        }
    }

    /// Adds what `write` writes, which must be JSON, as the value of a field.
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut String)) {
        let name = field.name();
        let key = match name.strip_prefix(NESTED) {
            Some(nested) => nested,
            // What the bridge from the `log` crate adds, and what is said to traces, says nothing to our readers.
            None if name.contains('.') => return,
            None => name,
        };
        let start = self.text.len();
        write(&mut self.text);
        let range = start..self.text.len();
        match key {
            MESSAGE => self.name = range,
            EXCEPTION => self.exception = Some(range),
            LOGGER => self.logger = Some(range),
            _ if name == FLAT => self.flat = Some(range),
            _ => match self.keys.iter_mut().find(|(own, _)| *own == key) {
                Some((_, value)) => *value = range,
                None => self.keys.push((key, range)),
            },
        }
    }

    fn put_text(&mut self, field: &Field, value: impl fmt::Display) {
        self.put(field, |text| {
            text.push('"');
            let _ = write!(Escaped(text), "{value}");
            text.push('"');
        });
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |text| text.push_str(if value { "true" } else { "false" }));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |text| {
            let _ = write!(text, "{value}");
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |text| {
            let _ = write!(text, "{value}");
        });
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, |text| match Number::from_f64(value) {
            Some(number) => drop(write!(text, "{number}")),
            None => text.push_str("null"),
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let nested = field.name().starts_with(NESTED)
            && !value.contains('\n')
            && serde_json::from_str::<IgnoredAny>(value).is_ok();
        if nested {
            self.put(field, |text| text.push_str(value));
        } else {
            self.put_text(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Texts that are given to be displayed arrive here as well; JSON among them stays JSON.
        if field.name().starts_with(NESTED) {
            self.record_str(field, &format!("{value:?}"));
        } else {
            self.put_text(field, format_args!("{value:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put_text(field, crate::telemetry::chain(value));
    }
}

/// Writes text as the inside of a JSON string.
pub(super) struct Escaped<'a>(pub(super) &'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all text is plain; this much of a look takes many bytes at a time.
        let special = |byte| u8::from(matches!(byte, 0..=0x1f | b'"' | b'\\'));
        if text.bytes().fold(0, |found, byte| found | special(byte)) == 0 {
            self.0.push_str(text);
            return Ok(());
        }
        let mut written = 0;
        for (position, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0..=0x1f => {
                    self.0.push_str(&text[written..position]);
                    write!(self.0, "\\u{byte:04x}")?;
                    written = position + 1;
                    continue;
                }
                _ => continue,
            };
            self.0.push_str(&text[written..position]);
            self.0.push_str(escape);
            written = position + 1;
        }
        self.0.push_str(&text[written..]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escaped_text_reads_back(parts in prop::collection::vec(any::<String>(), 0..4)) {
            let mut text = String::from("\"");
            for part in &parts {
                write!(Escaped(&mut text), "{part}").unwrap();
            }
            text.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&text).unwrap(), parts.concat());
            prop_assert!(!text.contains('\n'));
        }
    }
}
