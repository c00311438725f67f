//! What the server has for modules beside calls: their metrics, their health.

use std::fs;

use arrow_flight::FlightDescriptor;
use flexconnect_server::arrow::array::AsArray as _;
use flexconnect_server::arrow::datatypes::Int64Type;
use serde_json::{Value, json};

use super::harness::{connect, free_port, read};
use super::started::{Started, get, kill};

/// Calls a function that answers with its process.
async fn process_of(server: &Started, function: &str, parameters: Value) -> i32 {
    let mut client = connect(server.address).await;
    let command = json!({"functionName": function, "parameters": parameters});
    let descriptor = FlightDescriptor::new_cmd(command.to_string());
    let info = client.get_flight_info(descriptor).await.unwrap().into_inner();
    let batches = read(&mut client, &info).await.unwrap();
    i32::try_from(batches[0].column(0).as_primitive::<Int64Type>().value(0)).unwrap()
}

/// The samples of modules' metrics, without their times of creation.
fn metrics(port: u16) -> Vec<String> {
    let answer = get(port, "/metrics").unwrap();
    let theirs = |line: &&str| line.starts_with("shop_") && !line.contains("_created");
    answer.lines().filter(theirs).map(str::to_owned).collect()
}

fn counted(calls: u32, levels: &[usize]) -> Vec<String> {
    let levels = levels
        .iter()
        .map(|place| format!("shop_level{{worker=\"{place}\"}} 7.0"));
    let sums = [
        format!("shop_rows_total{{region=\"the \\\"north\\\"\"}} {}.0", 3 * calls),
        "shop_wait_seconds_bucket{le=\"1.0\"} 0.0".to_owned(),
        format!("shop_wait_seconds_bucket{{le=\"10.0\"}} {calls}.0"),
        format!("shop_wait_seconds_bucket{{le=\"+Inf\"}} {calls}.0"),
        format!("shop_wait_seconds_count {calls}.0"),
        format!("shop_wait_seconds_sum {}.0", 2 * calls),
    ];
    levels.chain(sums).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_modules_count_is_summed_over_workers_that_come_and_go() {
    let port = free_port();
    let settings = format!("metrics_host = '127.0.0.1'\nmetrics_port = {port}\n");
    let server = Started::serving("hosted", &settings);
    server.has_workers(2);
    // Two calls at a time are in two workers.
    let gate = server.folder.path().join("gate");
    let parameters = json!({"gate": gate});
    let waiting = |number: usize| {
        let call = tokio::spawn({
            let address = server.address;
            let parameters = parameters.clone();
            async move {
                let mut client = connect(address).await;
                let command = json!({"functionName": "Count", "parameters": parameters}).to_string();
                client.get_flight_info(FlightDescriptor::new_cmd(command)).await
            }
        });
        server.until("a call", |server| server.events("task_run").len() == number);
        call
    };
    let calls = [waiting(1), waiting(2)];
    server.until("both counted, while they run", |_| metrics(port) == counted(2, &[0, 1]));
    fs::write(&gate, "").unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let last = process_of(&server, "Count", json!({})).await;
    assert_eq!(metrics(port), counted(3, &[0, 1]));

    // Its gauge goes with the process, and what it counted stays.
    kill(last);
    server.event("python_worker_ended");
    server.has_workers(2);
    let sums = || {
        metrics(port)
            .into_iter()
            .filter(|line| !line.starts_with("shop_level"))
            .collect::<Vec<_>>()
    };
    assert_eq!(sums(), counted(3, &[]));
    process_of(&server, "Count", json!({})).await;
    assert_eq!(sums(), counted(4, &[]));

    let text = get(port, "/metrics").unwrap();
    assert_eq!(text.matches("\n# TYPE shop_rows_total counter\n").count(), 1, "{text}");
    assert_eq!(text.matches("\nshop_rows_created{").count(), 1, "{text}");
    for (name, count) in [
        ("python_info", 0),
        ("# TYPE process_open_fds ", 1),
        ("# TYPE gdfs_task_queue ", 1),
    ] {
        assert_eq!(text.matches(name).count(), count, "{name} in {text}");
    }
    assert!(!text.contains("Somebody else's name."), "{text}");
    let refused = server.events("python_metrics_left_out");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(
        refused[0]["problem"]
            .as_str()
            .unwrap()
            .starts_with("'flexconnect_tasks_total'")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_replaced_has_the_last_word() {
    let port = free_port();
    let settings = format!(
        "metrics_host = '127.0.0.1'\nmetrics_port = {port}\n[python]\nworkers = 1\nworker_memory_bytes = 400000000\n"
    );
    let server = Started::serving("hosted', 'functions", &settings);
    let counted_by = process_of(&server, "Count", json!({})).await;
    // Nobody asks for metrics while this worker lives.
    let mut client = connect(server.address).await;
    let until = std::time::Instant::now() + super::started::SOON;
    while server.events("python_worker_ended").is_empty() {
        super::harness::call(&mut client, "Greedy").await.unwrap();
        assert!(std::time::Instant::now() < until, "nothing was replaced");
    }
    assert!(!super::started::runs(counted_by));
    assert_eq!(server.event("python_worker_ended")["reason"], "memory_limit");
    assert!(metrics(port).contains(&counted(1, &[])[0]), "{:?}", metrics(port));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_ails_in_one_worker_fails_the_probe_until_it_is_well_or_its_worker_gone() {
    let server = Started::serving("hosted", "");
    server.has_workers(2);
    let live = |status: u16| {
        let expected = format!("HTTP/1.1 {status} ");
        server.until("/live", |server| {
            get(server.health, "/live").unwrap().starts_with(&expected)
        });
    };
    live(204);
    let ails = process_of(&server, "Ail", json!({"status": "not_ok"})).await;
    live(500);
    assert!(server.is_ready(), "calls go on");
    assert_eq!(server.event("unhealthy_module")["module"], "warehouse");
    assert!(
        get(server.health, "/status")
            .unwrap()
            .contains("\"ailing\": \"warehouse\"")
    );
    // Others say nothing of this one.
    let mut other = ails;
    while other != ails || get(server.health, "/live").unwrap().contains(" 500 ") {
        other = process_of(&server, "Ail", json!({"status": "ok"})).await;
    }
    live(204);

    let ails = process_of(&server, "Ail", json!({"status": "not_ok"})).await;
    live(500);
    kill(ails);
    live(204);
}
