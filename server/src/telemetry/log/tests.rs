use std::sync::{Arc, Mutex};

use serde_json::{Map, Value};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Lines, Output, Style};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<String>>);

impl Buffer {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Output for Buffer {
    fn take(&self, line: &str) {
        self.0.lock().unwrap().push_str(line);
    }
}

fn logged(style: Style, events: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::registry().with(Lines::new(style, buffer.clone()));
    tracing::subscriber::with_default(subscriber, events);
    buffer.text()
}

fn json(events: impl FnOnce()) -> Map<String, Value> {
    let text = logged(
        Style::Json {
            event_key: "event".to_owned(),
        },
        events,
    );
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn keys_come_in_order_and_the_event_last() {
    let line = json(|| {
        let outer = tracing::info_span!("rpc", peer = "ipv4:127.0.0.1:1", fun = "outer");
        let _outer = outer.enter();
        let inner = tracing::info_span!("task", fun = "Sales");
        let _inner = inner.enter();
        let exception = "it broke\nbadly";
        tracing::warn!(target: "flexconnect_server::task", waited = 0.5, rows = 3, exception, "task_failed");
    });
    let keys: Vec<_> = line.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "waited",
            "rows",
            "fun",
            "peer",
            "logger",
            "level",
            "timestamp",
            "exception",
            "event"
        ]
    );
    assert_eq!(line["fun"], "Sales");
    assert_eq!(line["rows"], 3);
    assert_eq!(line["logger"], "flexconnect_server.task");
    assert_eq!(line["level"], "warning");
    assert_eq!(line["event"], "task_failed");
}

#[test]
fn timestamps_are_utc_with_microseconds() {
    let line = json(|| tracing::info!("tick"));
    let timestamp = line["timestamp"].as_str().unwrap();
    let digits: String = timestamp
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    assert_eq!(digits, "0000-00-00T00:00:00.000000Z");
}

#[test]
fn json_fields_are_nested() {
    let line = json(|| tracing::info!(json.config = r#"{"a":1}"#, "server_startup"));
    assert_eq!(line["config"]["a"], 1);
}

#[test]
fn the_event_key_is_configurable_and_never_lost() {
    let text = logged(
        Style::Json {
            event_key: "message".to_owned(),
        },
        || tracing::info!(logger = "mine", "hello"),
    );
    let line: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(line["message"], "hello");
    assert_eq!(line["logger"], "flexconnect_server.telemetry.log.tests");
}

#[test]
fn readable_lines_are_plain_without_a_terminal() {
    let text = logged(Style::Readable { colour: false }, || {
        tracing::info!(url = "grpc://x:1", text = "a b", "started");
    });
    assert!(text.contains(" [info   ] started "), "{text}");
    assert!(text.ends_with("url=grpc://x:1 text=\"a b\"\n"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_chain_names_every_cause_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot start")]
    struct Outer(#[source] std::io::Error);
    assert_eq!(
        crate::telemetry::chain(&Outer(std::io::Error::other("no port"))),
        "cannot start: no port"
    );
}

#[test]
fn values_are_json_whatever_they_hold() {
    struct Tricky;
    impl std::fmt::Debug for Tricky {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            tracing::debug!("a value may log while it is written");
            f.write_str("\"quoted\"\n\u{1}")
        }
    }
    let line = json(|| {
        let _span = tracing::info_span!("rpc", peer = "x").entered();
        tracing::info!(
            yes = true,
            minus = -1,
            large = u64::MAX,
            ratio = 0.1,
            nan = f64::NAN,
            tricky = ?Tricky,
            json.broken = "{",
            otel.kind = "for traces only",
            "values"
        );
    });
    let expected = serde_json::json!({
        "yes": true, "minus": -1, "large": u64::MAX, "ratio": 0.1, "nan": null, "tricky": "\"quoted\"\n\u{1}",
        "broken": "{", "peer": "x",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key}");
    }
    assert!(!line.contains_key("otel.kind"));
}

#[test]
fn a_task_keeps_the_keys_of_the_call_that_began_it() {
    let line = json(|| {
        let call = tracing::info_span!("rpc", peer = "ipv4:127.0.0.1:1");
        let task = call.in_scope(|| tracing::info_span!(parent: None, "task", fun = "Sales"));
        drop(call);
        task.in_scope(|| tracing::info!("task_finished"));
    });
    assert_eq!(line["peer"], "ipv4:127.0.0.1:1");
    assert_eq!(line["fun"], "Sales");
}

#[test]
fn keys_of_a_span_that_come_later_are_there() {
    let line = json(|| {
        let span = tracing::info_span!("rpc", peer = tracing::field::Empty, fun = "a").entered();
        span.record("peer", "late");
        span.record("fun", "b");
        tracing::info!("event");
    });
    assert_eq!((&line["peer"], &line["fun"]), (&Value::from("late"), &Value::from("b")));
}

#[test]
fn what_was_dropped_is_told_in_the_style_of_the_others() {
    let text = super::dropped(
        &Style::Json {
            event_key: "event".to_owned(),
        },
        7,
    );
    let line: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&line["event"], &line["lines"]),
        (&Value::from("log_lines_dropped"), &Value::from(7))
    );
}

#[test]
fn lines_name_their_trace_as_the_w3c_writes_it() {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    let buffer = Buffer::default();
    let style = Style::Json {
        event_key: "event".to_owned(),
    };
    let keys = crate::config::TraceKeys {
        span_id: Some("spanId".to_owned()),
        ..Default::default()
    };
    let provider = SdkTracerProvider::builder().build();
    let subscriber = tracing_subscriber::registry()
        .with(Lines::new(style, buffer.clone()).with_traces(keys))
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")));
    tracing::subscriber::with_default(subscriber, || {
        let caller = SpanContext::new(
            TraceId::from(0x00ab_u128),
            SpanId::from(0x0c_u64),
            TraceFlags::SAMPLED,
            true,
            opentelemetry::trace::TraceState::default(),
        );
        let call = tracing::info_span!(parent: None, "rpc");
        crate::telemetry::spans::adopt(&call, opentelemetry::Context::new().with_remote_span_context(caller));
        call.in_scope(|| {
            tracing::info!("in_call");
            tracing::info_span!("within").in_scope(|| tracing::info!("deeper"));
        });
        tracing::info!("outside");
    });
    let text = buffer.text();
    let lines: Vec<Map<String, Value>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [in_call, deeper, outside] = &lines[..] else {
        panic!("three lines: {text}")
    };
    assert_eq!(in_call["trace_id"], "000000000000000000000000000000ab");
    assert_eq!(in_call["parent_span_id"], "000000000000000c");
    assert_eq!(in_call["spanId"].as_str().unwrap().len(), 16);
    assert_eq!(deeper["trace_id"], in_call["trace_id"]);
    assert_eq!(deeper["parent_span_id"], in_call["spanId"]);
    assert!(!outside.contains_key("trace_id"));
    let keys: Vec<_> = in_call.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "trace_id",
            "spanId",
            "parent_span_id",
            "logger",
            "level",
            "timestamp",
            "event"
        ]
    );
}
