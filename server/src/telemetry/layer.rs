//! One line per event: JSON for machines, or a readable line for people.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::Value;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::record::Record;

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

/// Writes every event as one line, in one write.
pub(super) struct Lines<W> {
    style: Style,
    write: W,
}

impl<W> Lines<W> {
    pub(super) fn new(style: Style, write: W) -> Self {
        Self { style, write }
    }
}

/// The keys of a span, which are also keys of every event in it.
struct SpanKeys(Record);

impl<S, W, O> Layer<S> for Lines<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut record = Record::default();
        attributes.record(&mut record);
        span.extensions_mut().insert(SpanKeys(record));
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(SpanKeys(record)) = span.extensions_mut().get_mut() {
            values.record(record);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut record = Record::default();
        event.record(&mut record);
        let exception = record.keys.shift_remove("exception");
        for span in context.event_scope(event).into_iter().flatten() {
            let extensions = span.extensions();
            for (key, value) in extensions
                .get::<SpanKeys>()
                .iter()
                .flat_map(|SpanKeys(span)| &span.keys)
            {
                // The event's own keys, and those of inner spans, come first.
                record.keys.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        let logger = event.metadata().target().replace("::", ".");
        let line = match &self.style {
            Style::Json { event_key } => json_line(record, exception, &logger, *event.metadata().level(), event_key),
            Style::Readable { colour } => {
                readable_line(&record, exception.as_ref(), &logger, *event.metadata().level(), *colour)
            }
        };
        // There is nowhere to tell that logs cannot be written.
        let _ = (self.write)().write_all(line.as_bytes());
    }
}

fn json_line(record: Record, exception: Option<Value>, logger: &str, level: Level, event_key: &str) -> String {
    let Record { name, keys: mut line } = record;
    let mut put = |key: &str, value: Value| {
        line.shift_remove(key);
        line.insert(key.to_owned(), value);
    };
    put("logger", Value::from(logger));
    put("level", Value::from(level_name(level)));
    put("timestamp", Value::from(timestamp()));
    if let Some(exception) = exception {
        put("exception", exception);
    }
    put(event_key, Value::from(name));
    let mut text = Value::Object(line).to_string();
    text.push('\n');
    text
}

fn readable_line(record: &Record, exception: Option<&Value>, logger: &str, level: Level, colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    };
    let level_colour = match level {
        Level::ERROR => "31",
        Level::WARN => "33",
        Level::INFO => "32",
        Level::DEBUG | Level::TRACE => "34",
    };
    let level = paint(level_colour, &format!("{:<7}", level_name(level)));
    let mut line = format!(
        "{} [{level}] {}",
        paint("2", &timestamp()),
        paint("1", &format!("{:<30}", record.name))
    );
    let _ = write!(line, " [{}]", paint("34", logger));
    for (key, value) in &record.keys {
        let _ = write!(line, " {}={}", paint("36", key), plain(value));
    }
    if let Some(exception) = exception {
        let text = match exception {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let _ = write!(line, "\n{}", paint("31", &text));
    }
    line.push('\n');
    line
}

/// A text without quotes where it needs none.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// UTC with microseconds and a `Z`.
fn timestamp() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
