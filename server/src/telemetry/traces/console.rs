//! Spans on stdout as indented JSON, one object a span, shaped as OpenTelemetry's own console exporter for Python does.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::Timestamp;
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{KeyValue, Value as Attribute};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use serde_json::{Map, Value, json};

/// Writes spans to people.
pub(super) struct Console<W> {
    write: Mutex<W>,
    resource: Map<String, Value>,
}

impl<W> Console<W> {
    pub(super) fn new(write: W) -> Self {
        Self {
            write: Mutex::new(write),
            resource: Map::new(),
        }
    }
}

impl<W: Write + Send> SpanExporter for Console<W> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut write = self.write.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: std::io::Error| OTelSdkError::InternalFailure(error.to_string());
        for span in &batch {
            let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
            let mut text = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
            serde::Serialize::serialize(&json(span, &self.resource), &mut serializer)
                .map_err(|error| failed(error.into()))?;
            text.push(b'\n');
            write.write_all(&text).map_err(failed)?;
        }
        write.flush().map_err(failed)
    }

    fn set_resource(&mut self, resource: &Resource) {
        let attributes = resource
            .iter()
            .map(|(key, attribute)| (key.to_string(), value(attribute)));
        self.resource = attributes.collect();
    }
}

impl<W> fmt::Debug for Console<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

fn json(span: &SpanData, resource: &Map<String, Value>) -> Value {
    let events = span.events.iter().map(|event| {
        json!({
            "name": event.name,
            "timestamp": timestamp(event.timestamp),
            "attributes": attributes(&event.attributes),
        })
    });
    let links = span.links.iter().map(|link| {
        json!({
            "context": context(link.span_context.trace_id(), link.span_context.span_id()),
            "attributes": attributes(&link.attributes),
        })
    });
    json!({
        "name": span.name,
        "context": context(span.span_context.trace_id(), span.span_context.span_id()),
        "kind": kind(&span.span_kind),
        "parent_id": (span.parent_span_id != SpanId::INVALID).then(|| format!("0x{}", span.parent_span_id)),
        "start_time": timestamp(span.start_time),
        "end_time": timestamp(span.end_time),
        "status": status(&span.status),
        "attributes": attributes(&span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "resource": {"attributes": resource, "schema_url": ""},
    })
}

fn context(trace: impl fmt::Display, span: impl fmt::Display) -> Value {
    json!({"trace_id": format!("0x{trace}"), "span_id": format!("0x{span}"), "trace_state": "[]"})
}

const fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "SpanKind.CLIENT",
        SpanKind::Server => "SpanKind.SERVER",
        SpanKind::Producer => "SpanKind.PRODUCER",
        SpanKind::Consumer => "SpanKind.CONSUMER",
        SpanKind::Internal => "SpanKind.INTERNAL",
    }
}

fn status(status: &Status) -> Value {
    match status {
        Status::Unset => json!({"status_code": "UNSET"}),
        Status::Ok => json!({"status_code": "OK"}),
        Status::Error { description } => json!({"status_code": "ERROR", "description": description}),
    }
}

fn timestamp(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| format!("{time:.6}"))
}

fn attributes(attributes: &[KeyValue]) -> Map<String, Value> {
    let pairs = attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value)));
    pairs.collect()
}

fn value(attribute: &Attribute) -> Value {
    match attribute {
        Attribute::Bool(value) => Value::from(*value),
        Attribute::I64(value) => Value::from(*value),
        Attribute::F64(value) => Value::from(*value),
        other => Value::from(other.to_string()),
    }
}
