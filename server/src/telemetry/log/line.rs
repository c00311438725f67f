//! How a line looks: JSON for machines, or a readable line for people.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use tracing::Level;

use super::fields::{Escaped, Fields};

/// How lines look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Style {
    /// One JSON object; the event's name is its last key, under this name.
    Json {
        /// `server.log_event_key_name`
        event_key: String,
    },
    /// `timestamp [level] event [logger] key=value …`
    Readable {
        /// Whether to colour; only a terminal should see it.
        colour: bool,
    },
}

/// One event, ready to be written.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) fields: &'a Fields,
    /// Ids of the trace, by their keys.
    pub(super) ids: &'a [(&'a str, String)],
    pub(super) target: &'a str,
    pub(super) level: Level,
    pub(super) time: Timestamp,
}

impl Line<'_> {
    /// Appends the line, with its end.
    pub(super) fn write(&self, style: &Style, text: &mut String) {
        match style {
            Style::Json { event_key } => self.write_json(event_key, text),
            Style::Readable { colour } => self.write_readable(*colour, text),
        }
    }

    fn write_json(&self, event_key: &str, text: &mut String) {
        let reserved = |key: &str| matches!(key, "logger" | "level" | "timestamp") || key == event_key;
        text.push('{');
        for (key, value) in self.fields.keys().filter(|(key, _)| !reserved(key)) {
            text.push('"');
            text.push_str(key);
            text.push_str("\":");
            text.push_str(value);
            text.push(',');
        }
        if let Some(flat) = self.fields.flat() {
            text.push_str(flat);
            text.push(',');
        }
        for (key, id) in self.ids.iter().filter(|(key, _)| !reserved(key)) {
            open_key(key, text);
            let _ = write!(text, "\"{id}\",");
        }
        if event_key != "logger" {
            text.push_str("\"logger\":\"");
            self.push_logger(text);
            text.push_str("\",");
        }
        if event_key != "level" {
            text.push_str("\"level\":\"");
            text.push_str(level_name(self.level));
            text.push_str("\",");
        }
        if event_key != "timestamp" {
            text.push_str("\"timestamp\":\"");
            push_time(self.time, text);
            text.push_str("\",");
        }
        if let Some(exception) = self.fields.exception() {
            text.push_str("\"exception\":");
            text.push_str(exception);
            text.push(',');
        }
        open_key(event_key, text);
        let name = self.fields.name();
        text.push_str(if name.is_empty() { "\"\"" } else { name });
        text.push_str("}\n");
    }

    fn push_logger(&self, text: &mut String) {
        match self.fields.logger() {
            Some(logger) => text.push_str(logger),
            None => push_logger(self.target, text),
        }
    }

    fn write_readable(&self, colour: bool, text: &mut String) {
        let paint = Paint { colour };
        let level_colour = match self.level {
            Level::ERROR => "31",
            Level::WARN => "33",
            Level::INFO => "32",
            Level::DEBUG | Level::TRACE => "34",
        };
        paint.write("2", text, format_args!("{:.6}", self.time));
        text.push_str(" [");
        paint.write(level_colour, text, format_args!("{:<7}", level_name(self.level)));
        text.push_str("] ");
        paint.write("1", text, format_args!("{:<30}", plain(self.fields.name())));
        text.push_str(" [");
        let mut logger = String::new();
        self.push_logger(&mut logger);
        paint.write("34", text, format_args!("{logger}"));
        text.push(']');
        for (key, value) in self.fields.keys() {
            text.push(' ');
            paint.write("36", text, format_args!("{key}"));
            let _ = write!(text, "={}", plain(value));
        }
        if let Some(flat) = self.fields.flat() {
            let _ = write!(text, " {{{flat}}}");
        }
        for (key, id) in self.ids {
            text.push(' ');
            paint.write("36", text, format_args!("{key}"));
            let _ = write!(text, "={id}");
        }
        if let Some(exception) = self.fields.exception() {
            let exception = serde_json::from_str::<String>(exception).unwrap_or_else(|_| exception.to_owned());
            text.push('\n');
            paint.write("31", text, format_args!("{exception}"));
        }
        text.push('\n');
    }
}

/// The line that tells how many were dropped.
pub(in crate::telemetry) fn dropped(style: &Style, lines: u64) -> String {
    let fields = Fields::of_number("log_lines_dropped", "lines", lines);
    let line = Line {
        fields: &fields,
        ids: &[],
        target: module_path!(),
        level: Level::WARN,
        time: Timestamp::now(),
    };
    let mut text = String::new();
    line.write(style, &mut text);
    text
}

/// Colours text for terminals, or does not.
#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn write(self, code: &str, text: &mut String, words: fmt::Arguments<'_>) {
        let _ = if self.colour {
            write!(text, "\u{1b}[{code}m{words}\u{1b}[0m")
        } else {
            text.write_fmt(words)
        };
    }
}

fn open_key(key: &str, text: &mut String) {
    text.push('"');
    let _ = write!(Escaped(text), "{key}");
    text.push_str("\":");
}

/// A module's path as the name of a logger, which is written with dots.
fn push_logger(path: &str, text: &mut String) {
    for (place, part) in path.split(':').filter(|part| !part.is_empty()).enumerate() {
        if place > 0 {
            text.push('.');
        }
        text.push_str(part);
    }
}

thread_local! {
    /// A second, and how it is written, as many lines are of the same one.
    static SECOND: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
}

/// A time in UTC as RFC 3339 writes it, to the microsecond.
fn push_time(time: Timestamp, text: &mut String) {
    let (second, microsecond) = {
        let microseconds = time.as_microsecond();
        (microseconds.div_euclid(1_000_000), microseconds.rem_euclid(1_000_000))
    };
    let known = SECOND.try_with(|kept| {
        let (kept_second, kept_text) = &mut *kept.borrow_mut();
        if *kept_second != second {
            *kept_second = second;
            kept_text.clear();
            let _ = Timestamp::from_second(second).map(|second| write!(kept_text, "{second:.0}"));
        }
        text.push_str(kept_text.trim_end_matches('Z'));
    });
    let _ = match known {
        Ok(()) => write!(text, ".{microsecond:06}Z"),
        // The thread ends.
        Err(_) => write!(text, "{time:.6}"),
    };
}

/// A JSON text without its quotes where it reads the same without them.
fn plain(json: &str) -> &str {
    match json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '\\') => text,
        Some(_) | None => json,
    }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_library_writes_them() {
        for microseconds in [
            0,
            1,
            999_999,
            1_000_000,
            -1,
            -1_500_000,
            1_795_000_000_000_000,
            1_795_000_000_123_456,
            5,
        ] {
            let time = Timestamp::from_microsecond(microseconds).unwrap();
            let mut text = String::new();
            push_time(time, &mut text);
            assert_eq!(text, format!("{time:.6}"));
        }
    }
}
