//! What Python code logs and writes, as events of our own log: with the task and the function, and in the trace of the
//! call.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Map, Value};
use tracing::Span;

use super::lock;
use super::shared::Running;
use super::wire::{LogEvent, StreamName};
use crate::task::TaskId;

/// Keys that our lines have themselves.
const TAKEN: [&str; 12] = [
    "event",
    "exception",
    "fun",
    "level",
    "logger",
    "parent_span_id",
    "span_id",
    "task_id",
    "timestamp",
    "trace_id",
    "peer",
    "worker",
];

/// Writes an event.
pub(super) fn event(event: LogEvent, tasks: &Mutex<HashMap<TaskId, Running>>) {
    let LogEvent {
        level,
        logger,
        event,
        task,
        function,
        trace,
        span,
        fields,
    } = event;
    let (fields, exception) = parted(fields.unwrap_or_default());
    let fields = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
    let fields = fields.as_deref();
    let exception = exception.as_deref();
    let running = task.as_deref().and_then(TaskId::parse);
    let running = running.and_then(|task| lock(tasks).get(&task).map(|running| running.span.clone()));
    // The span of a call that runs has these keys.
    let known = running.is_some();
    let absent = |value: Option<String>| value.filter(|_| !known);
    let (task_id, fun) = (absent(task), absent(function));
    let (trace_id, span_id) = (absent(trace), absent(span));
    let (task_id, fun) = (task_id.as_deref(), fun.as_deref());
    let (trace_id, span_id) = (trace_id.as_deref(), span_id.as_deref());
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                task_id,
                fun,
                trace_id,
                span_id,
                as_logger = logger,
                json.flat = fields,
                exception,
                "{event}"
            )
        };
    }
    running.unwrap_or_else(Span::none).in_scope(|| match severity(&level) {
        tracing::Level::ERROR => say!(error),
        tracing::Level::WARN => say!(warn),
        tracing::Level::INFO => say!(info),
        _ => say!(debug),
    });
}

/// Writes the lines that something in a worker wrote to standard output or error, past Python's own.
pub(super) fn output(worker: usize, stream: StreamName, text: &[u8], dropped: u64) {
    let stream = match stream {
        StreamName::Stdout => "stdout",
        StreamName::Stderr => "stderr",
    };
    let text = String::from_utf8_lossy(text);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        tracing::info!(worker, stream, line, "python_output");
    }
    if dropped > 0 {
        tracing::warn!(worker, stream, bytes = dropped, "python_output_dropped");
    }
}

/// Logging's levels, and structlog's.
fn severity(level: &str) -> tracing::Level {
    match level.to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" | "exception" => tracing::Level::ERROR,
        "warning" | "warn" => tracing::Level::WARN,
        "debug" | "notset" | "trace" => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    }
}

/// The fields that stand in the line beside our own keys, and the exception.
fn parted(fields: Map<String, Value>) -> (Map<String, Value>, Option<String>) {
    let mut exception = None;
    let mut parted = Map::new();
    for (key, value) in fields {
        match value {
            Value::String(text) if key == "exception" => exception = Some(text),
            value if TAKEN.contains(&key.as_str()) => drop(parted.insert(format!("{key}_"), value)),
            value => drop(parted.insert(key, value)),
        }
    }
    (parted, exception)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_of_ours_are_not_taken_over() {
        let Value::Object(fields) = json!({"rows": 3, "level": "x", "exception": "Traceback", "task_id": 1}) else {
            panic!("an object")
        };
        let (fields, exception) = parted(fields);
        assert_eq!(Value::Object(fields), json!({"rows": 3, "level_": "x", "task_id_": 1}));
        assert_eq!(exception.as_deref(), Some("Traceback"));
    }
}
