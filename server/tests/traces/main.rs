//! Traces as a collector receives them, from a server that is a process of its own: this program, started again with the
//! variables of the collector. What its log says of traces is compared with them.

mod collector;
mod functions;
mod server;

use std::collections::BTreeMap;
use std::process::ExitCode;

use flexconnect_server::{Server, cli};
use serde_json::Value;
use tokio::runtime::Runtime;

use collector::{Received, Span};
use server::Calls;

/// The variable that tells the program to be the server.
const ROLE: &str = "FLEXCONNECT_TEST_SERVES";

/// The trace that the caller of the test is in. It begins with zeros, which the original's logs lose.
const TRACE: &str = "00112233445566778899aabbccddeeff";
const CALLER: &str = "0123456789abcdef";

fn main() -> ExitCode {
    if std::env::var_os(ROLE).is_some() {
        let functions = Server::builder().function(functions::Quick).function(functions::Slow);
        return cli::run(functions.function(functions::Broken).build());
    }
    let runtime = Runtime::new().expect("a runtime");
    for exporter in ["otlp-grpc", "otlp-http", "zipkin", "console"] {
        runtime.block_on(look_at(exporter));
        println!("test traces_by_{} ... ok", exporter.replace('-', "_"));
    }
    ExitCode::SUCCESS
}

/// Calls a server that exports in one way, ends it, and looks at what it said.
async fn look_at(exporter: &str) {
    let collector = collector::start().await;
    let mut server = server::start(exporter, &collector);
    let Calls { quick, slow, broken } = server.call().await;
    let said = server.end();
    let spans = match exporter {
        "console" => collector::from_console(&said.stdout),
        _ => collector.received(),
    };
    let Received { spans, resource } = spans;
    let lost = said
        .events
        .iter()
        .filter(|event| event["level"] == "error" && event["event"] != "task_failed");
    let lost = lost.collect::<Vec<_>>();
    assert!(lost.is_empty(), "{exporter}: {resource:?}: {lost:?}");
    // Zipkin knows spans only, not where they come from.
    if exporter != "zipkin" {
        assert_eq!(resource["service.name"], "traced", "{exporter}");
        assert_eq!(resource["service.instance.id"], "here", "{exporter}");
    }

    let of_task = |name: &str, task: &str| {
        let found = spans
            .iter()
            .find(|span| span.name == name && span.attributes.get(TASK_ID).is_some_and(|id| id == task));
        found.unwrap_or_else(|| unreachable!("{exporter}: no {name} of {task} among {spans:#?}"))
    };
    for (task, failed) in [(&quick, false), (&slow, false), (&broken, true)] {
        let execution = of_task("task_execution", task);
        let call = parent(execution, &spans);
        assert_eq!(
            (call.name.as_str(), call.kind.as_str()),
            ("GET_FLIGHT_INFO", "server"),
            "{exporter}"
        );
        assert_eq!(call.attributes["rpc.system"], "grpc");
        assert_eq!(call.attributes["rpc.service"], "FlightRPC");
        assert_eq!(call.attributes["rpc.method"], "GET_FLIGHT_INFO");
        assert_eq!(
            (call.trace_id.as_str(), call.parent_id.as_str()),
            (TRACE, CALLER),
            "the caller's trace goes on"
        );
        // The slow function's client was told to come again, which is no error.
        assert_eq!(
            (call.failed, execution.failed),
            (failed, failed),
            "{exporter}: {call:#?} {execution:#?}"
        );
        let run = of_task("task_run", task);
        assert_eq!(
            (run.parent_id.as_str(), run.failed),
            (execution.id.as_str(), failed),
            "{exporter}"
        );
        let submit = spans
            .iter()
            .filter(|span| span.name == "task_run_submit" && span.parent_id == execution.id);
        assert_eq!(submit.count(), 1, "{exporter}");
        if failed && exporter != "zipkin" {
            assert!(
                execution
                    .events
                    .iter()
                    .any(|event| event == "gooddata_flight_server.task_error"),
                "{execution:#?}"
            );
            assert!(run.events.iter().any(|event| event == "exception"), "{run:#?}");
        }
        compare_with_log(execution, &said.events, task);
    }
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert!(names.contains(&"DO_GET"), "{exporter}: {names:?}");
}

const TASK_ID: &str = "gooddata_flight_server.task_id";

fn parent<'a>(span: &Span, spans: &'a [Span]) -> &'a Span {
    let found = spans.iter().find(|candidate| candidate.id == span.parent_id);
    found.unwrap_or_else(|| unreachable!("the parent of {span:#?} is missing"))
}

/// The line of a task's end names the trace and the span that the collector knows.
fn compare_with_log(execution: &Span, events: &[BTreeMap<String, Value>], task: &str) {
    let end = events.iter().find(|event| {
        let name = event["event"].as_str().unwrap_or_default();
        matches!(name, "task_finished" | "task_failed") && event.get("task_id").is_some_and(|id| id == task)
    });
    let end = end.unwrap_or_else(|| unreachable!("no end of {task} in the log"));
    assert_eq!(end["traceId"], TRACE, "log_trace_keys renames it, and zeros stay");
    assert_eq!(end["span_id"], execution.id.as_str());
    assert_eq!(end["parent_span_id"], execution.parent_id.as_str());
    assert!(
        end["peer"]
            .as_str()
            .is_some_and(|peer| peer.starts_with("ipv4:127.0.0.1:"))
    );
}
