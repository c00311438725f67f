use std::time::Duration;

use prometheus::IntCounter;
use tonic::Code;

use super::*;

/// The value of the one sample that begins like this, as it is written.
fn value(metrics: &Metrics, sample: &str) -> String {
    let text = metrics.text(Format::Plain, &[]);
    let line = text
        .lines()
        .find(|line| line.strip_prefix(sample).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no {sample} in\n{text}"));
    line.rsplit(' ').next().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_followed_from_the_queue_to_its_end() {
    let metrics = Metrics::new();
    let kind = metrics.kind("Sales");
    let mut task = kind.task_waits();
    assert_eq!(value(&metrics, "gdfs_task_queue"), "1.0");
    assert_eq!(value(&metrics, "flexconnect_tasks_waiting{function=\"Sales\"}"), "1.0");
    tokio::time::advance(Duration::from_secs(2)).await;
    task.started();
    task.started();
    assert_eq!(value(&metrics, "gdfs_task_queue"), "0.0");
    assert_eq!(value(&metrics, "flexconnect_tasks_running{function=\"Sales\"}"), "1.0");
    tokio::time::advance(Duration::from_secs(3)).await;
    task.ended(TaskOutcome::Failed);
    assert_eq!(value(&metrics, "gdfs_task_wait_count"), "1.0");
    assert_eq!(value(&metrics, "gdfs_task_wait_sum"), "2.0");
    assert_eq!(value(&metrics, "gdfs_task_duration_sum"), "3.0");
    assert_eq!(value(&metrics, "gdfs_task_e2e_duration_sum"), "5.0");
    assert_eq!(value(&metrics, "gdfs_task_error_total"), "1.0");
    assert_eq!(value(&metrics, "gdfs_task_completed_total"), "1.0");
    assert_eq!(value(&metrics, "gdfs_task_cancelled_total"), "0.0");
    assert_eq!(value(&metrics, "flexconnect_tasks_running{function=\"Sales\"}"), "0.0");
    let runs = "flexconnect_task_run_seconds_bucket{function=\"Sales\",outcome=\"failed\",le=";
    assert_eq!(value(&metrics, &format!("{runs}\"2.5\"}}")), "0.0");
    assert_eq!(value(&metrics, &format!("{runs}\"5.0\"}}")), "1.0");
}

#[test]
fn a_task_cancelled_in_the_queue_has_no_durations() {
    let metrics = Metrics::new();
    metrics.kind("Sales").task_waits().ended(TaskOutcome::Cancelled);
    assert_eq!(value(&metrics, "gdfs_task_cancelled_total"), "1.0");
    assert_eq!(value(&metrics, "gdfs_task_completed_total"), "1.0");
    assert_eq!(value(&metrics, "gdfs_task_duration_count"), "0.0");
    assert_eq!(value(&metrics, "gdfs_task_queue"), "0.0");
}

#[test]
fn what_is_dropped_leaves_the_gauges() {
    let metrics = Metrics::new();
    let kind = metrics.kind("Sales");
    let mut task = kind.task_waits();
    task.started();
    let stream = kind.stream_opened(tokio::time::Instant::now());
    let kept = metrics.result_kept(Place::Memory, 100);
    let closing = metrics.results_closing(3);
    let connection = metrics.connection_accepted();
    assert_eq!(value(&metrics, "gdfs_close_queue"), "3.0");
    assert_eq!(value(&metrics, "flexconnect_result_bytes{place=\"memory\"}"), "100.0");
    drop((task, kind.task_waits(), stream, kept, closing, connection));
    for gauge in [
        "gdfs_task_queue",
        "gdfs_close_queue",
        "flexconnect_connections",
        "flexconnect_results{place=\"memory\"}",
        "flexconnect_result_bytes{place=\"memory\"}",
        "flexconnect_tasks_waiting{function=\"Sales\"}",
        "flexconnect_tasks_running{function=\"Sales\"}",
        "flexconnect_streams_open{function=\"Sales\"}",
    ] {
        assert_eq!(value(&metrics, gauge), "0.0", "{gauge}");
    }
    let abandoned = "flexconnect_stream_seconds_count{function=\"Sales\",outcome=\"abandoned\"}";
    assert_eq!(value(&metrics, abandoned), "1.0");
}

#[test]
fn streams_count_what_they_send() {
    let metrics = Metrics::new();
    let mut stream = metrics.kind("Sales").stream_opened(tokio::time::Instant::now());
    stream.sent(0, 200);
    stream.sent(10, 1000);
    stream.finished();
    assert_eq!(
        value(&metrics, "flexconnect_sent_bytes_total{function=\"Sales\"}"),
        "1200.0"
    );
    assert_eq!(
        value(&metrics, "flexconnect_sent_rows_total{function=\"Sales\"}"),
        "10.0"
    );
    assert_eq!(
        value(
            &metrics,
            "flexconnect_stream_first_byte_seconds_count{function=\"Sales\"}"
        ),
        "1.0"
    );
}

#[test]
fn calls_are_counted_by_method_and_code() {
    let metrics = Metrics::new();
    metrics.rpc_arrived(Rpc::DoGet).ended(Code::Ok);
    drop(metrics.rpc_arrived(Rpc::DoGet));
    assert_eq!(
        value(&metrics, "flexconnect_rpcs_total{code=\"OK\",method=\"DoGet\"}"),
        "1.0"
    );
    assert_eq!(
        value(&metrics, "flexconnect_rpcs_total{code=\"CANCELLED\",method=\"DoGet\"}"),
        "1.0"
    );
    assert_eq!(value(&metrics, "flexconnect_rpcs_in_flight{method=\"DoGet\"}"), "0.0");
}

#[test]
fn functions_cannot_make_series_without_end() {
    let metrics = Metrics::new();
    for number in 0..MAX_KINDS + 10 {
        metrics.kind(&number.to_string()).task_rejected(Rejection::QueueFull);
    }
    assert_eq!(metrics.0.resolved.read().unwrap().len(), MAX_KINDS + 1);
    let others = "flexconnect_tasks_rejected_total{function=\"other\",reason=\"queue_full\"}";
    assert_eq!(value(&metrics, others), "10.0");
}

#[test]
fn label_values_are_in_the_order_of_their_series() {
    for (place, &outcome) in TaskOutcome::ALL.iter().enumerate() {
        assert_eq!(outcome as usize, place);
    }
    let metrics = Metrics::new();
    for &reason in Rejection::ALL {
        metrics.call_rejected(reason);
        let sample = format!(
            "flexconnect_tasks_rejected_total{{function=\"other\",reason=\"{}\"}}",
            reason.label()
        );
        assert_eq!(value(&metrics, &sample), "1.0");
    }
}

#[test]
fn a_service_brings_metrics_of_its_own_under_names_that_are_free() {
    let metrics = Metrics::new();
    let orders = IntCounter::new("orders_total", "Orders.").unwrap();
    metrics.register(Box::new(orders.clone())).unwrap();
    orders.inc_by(2);
    assert_eq!(value(&metrics, "orders_total"), "2.0");
    let taken = IntCounter::new("gdfs_task_error_total", "Number of failed tasks.").unwrap();
    assert!(metrics.register(Box::new(taken)).is_err());
}

#[test]
fn the_original_finds_its_metrics() {
    let metrics = Metrics::new();
    let text = metrics.text(Format::Plain, &[]);
    for line in [
        "# HELP gdfs_task_queue Number of tasks waiting in queue.",
        "# TYPE gdfs_task_queue gauge",
        "gdfs_task_queue 0.0",
        "# TYPE gdfs_close_queue gauge",
        "# TYPE gdfs_task_wait summary",
        "gdfs_task_wait_count 0.0",
        "gdfs_task_wait_sum 0.0",
        "# TYPE gdfs_task_wait_created gauge",
        "# TYPE gdfs_task_duration summary",
        "# TYPE gdfs_task_e2e_duration summary",
        "# HELP gdfs_task_error_total Number of failed tasks.",
        "# TYPE gdfs_task_error_total counter",
        "gdfs_task_error_total 0.0",
        "# TYPE gdfs_task_error_created gauge",
        "# TYPE gdfs_task_cancelled_total counter",
        "# TYPE gdfs_task_completed_total counter",
        "# TYPE gdfs_malloc_trim summary",
        "# TYPE gdfs_malloc_trim_error_total counter",
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE process_max_fds gauge",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

#[test]
fn open_metrics_has_its_own_shape() {
    let metrics = Metrics::new();
    metrics.authentication_failed(AuthFailure::Missing);
    let text = metrics.text(Format::OpenMetrics, &[]);
    assert!(
        text.contains("# TYPE gdfs_task_error counter\ngdfs_task_error_total 0.0\ngdfs_task_error_created 1"),
        "{text}"
    );
    assert!(text.contains("\nflexconnect_authentication_failures_total{reason=\"missing\"} 1.0\n"));
    assert!(!text.contains("# TYPE gdfs_task_wait_created"));
    assert!(text.ends_with("\n# EOF\n"));
    let mut names = std::collections::BTreeSet::new();
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        assert!(
            names.insert(family.split(' ').next()),
            "two families have one name: {family}"
        );
    }
}

#[test]
fn names_can_be_picked() {
    let metrics = Metrics::new();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let text = metrics.text(Format::Plain, &names(&["gdfs_task_wait_sum", "gdfs_task_queue"]));
    let expected = "# HELP gdfs_task_queue Number of tasks waiting in queue.\n# TYPE gdfs_task_queue gauge\n\
                    gdfs_task_queue 0.0\n# HELP gdfs_task_wait Time a task spends waiting in queue before it is \
                    executed.\n# TYPE gdfs_task_wait summary\ngdfs_task_wait_sum 0.0\n";
    assert_eq!(text, expected);
    assert_eq!(metrics.text(Format::OpenMetrics, &names(&["nothing"])), "# EOF\n");
}

#[test]
fn label_values_and_help_are_escaped() {
    let metrics = Metrics::new();
    metrics.kind("a\"b\\c\nd").task_rejected(Rejection::OutOfMemory);
    let sample = r#"flexconnect_tasks_rejected_total{function="a\"b\\c\nd",reason="out_of_memory"}"#;
    assert_eq!(value(&metrics, sample), "1.0");
}

#[rstest::rstest]
#[case("", Format::Plain)]
#[case("text/plain", Format::Plain)]
#[case(
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
    Format::OpenMetrics
)]
#[case("text/plain;q=0.5, application/openmetrics-text; q=0.9", Format::OpenMetrics)]
#[case("application/openmetrics-text;q=0", Format::Plain)]
fn the_format_is_the_one_asked_for(#[case] accept: &str, #[case] expected: Format) {
    assert_eq!(Format::accepted(accept), expected);
}
