//! The keys of log lines, and where traces go.

use crate::config::kinds::{Choice, Flag, Text};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, IsText, Kind, Otherwise, Refusal, settings};
use crate::config::tree::Value;

const EXPORTERS: Choice<Option<TraceExporter>> = Choice(&[
    ("none", None),
    ("zipkin", Some(TraceExporter::Zipkin)),
    ("otlp-http", Some(TraceExporter::OtlpHttp)),
    ("otlp-grpc", Some(TraceExporter::OtlpGrpc)),
    ("console", Some(TraceExporter::Console)),
]);
const NAME: Text = Text {
    what: "a non-empty text",
};

settings! {
    /// The key of the event's name in log lines.
    EVENT_KEY: Text, IsText = "log_event_key_name",
        Text { what: "a non-empty text, the key of the event name in log lines" }, IsText("event");
    /// Other names for the keys `trace_id`, `span_id` and `parent_span_id` in log lines, as a table:
    /// `{trace_id = "traceId"}`.
    TRACE_KEYS: TraceKeyNames, Is<TraceKeys> = "log_trace_keys", TraceKeyNames,
        Is(TraceKeys { trace_id: None, span_id: None, parent_span_id: None });
    /// Where traces go. The exporters' addresses and headers are those of the standard `OTEL_EXPORTER_*` variables,
    /// sampling that of `OTEL_TRACES_SAMPLER`.
    EXPORTER: Choice<Option<TraceExporter>>, Is<Option<TraceExporter>> = "otel_exporter_type", EXPORTERS, Is(None);
    /// `service.name` of traces.
    SERVICE_NAME: Text, Otherwise = "otel_service_name", NAME, Otherwise("`OTEL_SERVICE_NAME`, or the program's name");
    /// `service.namespace` of traces.
    SERVICE_NAMESPACE: Text, Otherwise = "otel_service_namespace", NAME, Otherwise("none");
    /// `service.instance.id` of traces.
    SERVICE_INSTANCE: Text, Otherwise = "otel_service_instance_id", NAME, Otherwise("the machine's full name");
    /// Continue the traces of callers, from the headers of their requests.
    EXTRACT_CONTEXT: Flag, Is<bool> = "otel_extract_context", Flag, Is(false);
}

/// The keys of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// `log_event_key_name`
    pub event_key: String,
    /// `log_trace_keys`
    pub trace_keys: TraceKeys,
}

/// `log_trace_keys`: other names, where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceKeys {
    /// Instead of `trace_id`.
    pub trace_id: Option<String>,
    /// Instead of `span_id`.
    pub span_id: Option<String>,
    /// Instead of `parent_span_id`.
    pub parent_span_id: Option<String>,
}

/// Traces, when there is an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSettings {
    /// `otel_exporter_type`
    pub exporter: TraceExporter,
    /// `otel_service_name`
    pub service_name: Option<String>,
    /// `otel_service_namespace`
    pub service_namespace: Option<String>,
    /// `otel_service_instance_id`
    pub service_instance_id: Option<String>,
    /// `otel_extract_context`: traces of callers are continued.
    pub extract_context: bool,
}

/// How traces leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceExporter {
    /// `zipkin`
    Zipkin,
    /// `otlp-http`
    OtlpHttp,
    /// `otlp-grpc`
    OtlpGrpc,
    /// `console`: JSON on stdout.
    Console,
}

/// A table of names.
struct TraceKeyNames;

impl Kind for TraceKeyNames {
    type Value = TraceKeys;

    fn read(&self, setting: &str, value: &Value) -> Result<TraceKeys, Refusal> {
        const WHAT: &str = "must be a table from trace_id, span_id and parent_span_id to keys of log lines";
        const FIX: &str = "write {trace_id = \"…\", span_id = \"…\", parent_span_id = \"…\"}, or less";
        let Value::Table(names) = value else {
            return Err(Refusal::new(WHAT, FIX));
        };
        let mut keys = TraceKeys::default();
        for (name, node) in names.iter() {
            let key = match name {
                "trace_id" => &mut keys.trace_id,
                "span_id" => &mut keys.span_id,
                "parent_span_id" => &mut keys.parent_span_id,
                _ => return Err(Refusal::new(format!("{WHAT}, and {name} is none of these"), FIX)),
            };
            *key = Some(NAME.read(setting, &node.value).map_err(|_| Refusal::new(WHAT, FIX))?);
        }
        Ok(keys)
    }

    fn write(&self, keys: &TraceKeys) -> String {
        let TraceKeys {
            trace_id,
            span_id,
            parent_span_id,
        } = keys;
        let names = [
            ("trace_id", trace_id),
            ("span_id", span_id),
            ("parent_span_id", parent_span_id),
        ];
        let names = names
            .iter()
            .filter_map(|(name, key)| key.as_ref().map(|key| format!("{name} = {key:?}")));
        format!("{{{}}}", names.collect::<Vec<_>>().join(", "))
    }

    fn summary(&self) -> String {
        "table of texts".to_owned()
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<(LogSettings, Option<TraceSettings>), Noted> {
    let (event_key, trace_keys) = (reader.read(&EVENT_KEY), reader.read(&TRACE_KEYS));
    let (exporter, service_name) = (reader.read(&EXPORTER), reader.read(&SERVICE_NAME));
    let (namespace, instance) = (reader.read(&SERVICE_NAMESPACE), reader.read(&SERVICE_INSTANCE));
    let extract_context = reader.read(&EXTRACT_CONTEXT);
    let logs = LogSettings {
        event_key: event_key?,
        trace_keys: trace_keys?,
    };
    let (service_name, service_namespace, service_instance_id) = (service_name?, namespace?, instance?);
    let extract_context = extract_context?;
    let traces = exporter?.map(|exporter| TraceSettings {
        exporter,
        service_name,
        service_namespace,
        service_instance_id,
        extract_context,
    });
    Ok((logs, traces))
}
