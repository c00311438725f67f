//! What modules say is in the server's log, and the spans that they open are in its traces.

use serde_json::Value;

use super::collector;
use super::harness::{call, connect, read};
use super::started::Started;

/// What a module logs at which level, as people write it for the vendor's server.
const LEVELS: &str = "[loggers]\nkeys=root,shop\n[handlers]\nkeys=console\n[formatters]\nkeys=\n\
    [logger_root]\nlevel=ERROR\nhandlers=console\n[logger_shop]\nlevel=DEBUG\nhandlers=\nqualname=shop\n\
    [handler_console]\nclass=StreamHandler\nargs=(sys.stderr,)\n";

async fn talk(server: &Started) {
    let mut client = connect(server.address).await;
    let info = call(&mut client, "Talk").await.unwrap();
    read(&mut client, &info).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_module_says_is_told_with_its_task_and_its_trace() {
    let traces = collector::start().await;
    let settings = "otel_exporter_type = 'otlp-http'\notel_service_name = 'shop'\n";
    let endpoint = traces.http();
    let mut server = Started::beginning("hosted", settings, |command, _| {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    });
    talk(&server).await;
    let told = [
        ("said by print", "stdout", "info"),
        ("said by stderr", "stderr", "info"),
        ("said by logging: 7", "shop", "error"),
        ("said by structlog", "shop.structured", "warning"),
        ("said in a span", "shop", "info"),
    ];
    let mut events: Vec<Value> = Vec::new();
    for (text, logger, level) in told {
        let event = server.event(text);
        assert_eq!(
            (&event["logger"], &event["level"]),
            (&logger.into(), &level.into()),
            "{event}"
        );
        events.push(event);
    }
    let warning = server.event_like("said by warnings");
    assert_eq!(
        (&warning["logger"], &warning["level"]),
        (&"py.warnings".into(), &"warning".into()),
        "{warning}"
    );
    events.push(warning);
    let run = server.event("task_run");
    for event in &events {
        assert_eq!(
            (&event["fun"], &event["task_id"]),
            (&"Talk".into(), &run["task_id"]),
            "{event}"
        );
        assert_eq!(event["trace_id"], run["trace_id"], "{event}");
        assert_eq!(event["trace_id"].as_str().map(str::len), Some(32), "{event}");
    }
    assert_eq!((&events[2]["rows"], &events[3]["region"]), (&3.into(), &"north".into()));
    assert!(server.events("said too softly").is_empty());

    // Workers send their last spans when they stop.
    assert_eq!(server.terminate(), Some(0));
    let spans = traces.received().spans;
    let named = |name: &str| {
        spans
            .iter()
            .find(|span| span.name == name)
            .unwrap_or_else(|| panic!("no {name}: {spans:?}"))
    };
    let (work, task) = (named("shop_work"), named("task_run"));
    assert_eq!((&work.trace_id, &work.parent_id), (&task.trace_id, &task.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_what_modules_log() {
    let server = Started::beginning("hosted", "", |command, folder| {
        let levels = folder.join("logging.ini");
        std::fs::write(&levels, LEVELS).unwrap();
        command.arg("--logging-config").arg(levels);
    });
    talk(&server).await;
    assert_eq!(server.event("said too softly")["level"], "debug");
    assert_eq!(server.event("said in a span")["logger"], "shop");
    // Printed lines have no level; that of the root is above that of warnings.
    server.event("said by print");
    assert!(server.events("said by warnings").is_empty());
}
