//! What one event says: its keys in order, as JSON values, and its name.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// The key of tracing under which the text of a log call arrives: for us, the event's name.
const MESSAGE: &str = "message";

/// A field of this prefix holds JSON text, which becomes part of the line.
const NESTED: &str = "json.";

/// Keys and name of an event, or keys of a span.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) keys: Map<String, Value>,
}

impl Record {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            (MESSAGE, Value::String(name)) => self.name = name,
            (MESSAGE, value) => self.name = value.to_string(),
            // What the bridge from the `log` crate adds says nothing to our readers.
            (name, _) if name.starts_with("log.") => {}
            (name, value) => match (name.strip_prefix(NESTED), &value) {
                (Some(nested), Value::String(text)) => {
                    let parsed = serde_json::from_str(text).unwrap_or(value);
                    self.keys.insert(nested.to_owned(), parsed);
                }
                _ => drop(self.keys.insert(name.to_owned(), value)),
            },
        }
    }
}

impl Visit for Record {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(format!("{value:?}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, Value::from(super::chain(value)));
    }
}
