//! Changes of the file while the fleet runs.

use serde_json::Value;

use crate::run::{Manifest, Run, is_alive, registered_urls, sandbox};

/// Positions of events in the order they came.
fn position(seen: &[Value], kind: &str, fits: impl Fn(&Value) -> bool) -> usize {
    let found = seen.iter().position(|event| event["event"] == kind && fits(event));
    found.unwrap_or_else(|| panic!("no {kind} in {seen:#?}"))
}

#[tokio::test]
async fn scaling_out_starts_before_it_registers_and_scaling_in_registers_before_it_drains() {
    let sandbox = sandbox().await;
    let manifest = Manifest::new(1, &sandbox);
    let mut run = Run::start(&manifest);
    run.next("registered").await;

    run.edit(&Manifest {
        replicas: 3,
        ..manifest.clone()
    });
    run.next_where("registered", |event| event["urls"] == 3).await;
    let ready = |replica: &str| position(&run.seen, "ready", |event| event["replica"] == replica);
    let registered = position(&run.seen, "registered", |event| event["urls"] == 3);
    assert!(ready("sales-1") < registered && ready("sales-2") < registered);
    assert_eq!(registered_urls(&sandbox).len(), 3);

    run.edit(&manifest);
    run.next("draining").await;
    assert_eq!(
        registered_urls(&sandbox).len(),
        1,
        "the URLs were still registered when the drain began"
    );
    run.next("drained").await;
    run.next("drained").await;
    run.stop().await;
}

#[tokio::test]
async fn a_bad_edit_is_one_sentence_and_the_fleet_stays() {
    let mut run = Run::start(&Manifest::unregistered(1));
    run.next("settled").await;
    let pids = run.pids();
    let good = std::fs::read_to_string(&run.file).unwrap();
    for (from, to, field) in [
        ("replicas: 1", "replicas: -1", "spec.replicas"),
        ("replicas: 1", "replica: 1", "spec.replica"),
        ("kind: FlexConnectServer", "kind: [", "document 1"),
    ] {
        std::fs::write(&run.file, good.replace(from, to)).unwrap();
        let refused = run.next("change_refused").await;
        let message = refused["message"].as_str().unwrap();
        assert!(message.contains(field) && !message.contains('\n'), "{message}");
    }
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    let seen = run.stop().await;
    assert_eq!(seen.iter().filter(|event| event["event"] == "started").count(), 1);
}

#[tokio::test]
async fn new_settings_replace_the_replicas_one_at_a_time() {
    let sandbox = sandbox().await;
    let manifest = Manifest::new(2, &sandbox);
    let mut run = Run::start(&manifest);
    run.next("registered").await;
    let urls = registered_urls(&sandbox);

    run.edit(&Manifest {
        settings: "    sales: {api_url: 'https://api.example.com'}\n",
        ..manifest
    });
    run.next("settled").await;
    let order: Vec<_> = run
        .seen
        .iter()
        .skip_while(|event| event["event"] != "changed")
        .filter(|event| ["draining", "drained", "ready"].contains(&event["event"].as_str().unwrap()))
        .map(|event| {
            format!(
                "{} {}",
                event["event"].as_str().unwrap(),
                event["replica"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        order,
        [
            "draining sales-1",
            "drained sales-1",
            "ready sales-1",
            "draining sales-0",
            "drained sales-0",
            "ready sales-0",
        ]
    );
    run.next_where("registered", |event| event["urls"] == 2).await;
    assert_eq!(registered_urls(&sandbox), urls, "the replicas kept their ports");
    run.stop().await;
}

#[tokio::test]
async fn data_sources_come_and_go_with_the_file() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest::unregistered(1));
    run.next("settled").await;
    assert!(sandbox.data_source_ids().is_empty());
    run.edit(&Manifest::new(1, &sandbox));
    run.next("registered").await;
    assert_eq!(sandbox.data_source_ids(), ["sales"]);
    run.edit(&Manifest::unregistered(1));
    let gone = run.next("unregistered").await;
    assert_eq!(gone["outcome"], "deleted");
    assert!(sandbox.data_source_ids().is_empty());
    run.stop().await;
}

#[tokio::test]
async fn a_stopped_fleet_keeps_its_data_source() {
    let sandbox = sandbox().await;
    let manifest = Manifest::new(1, &sandbox);
    let mut run = Run::start(&manifest);
    run.next("registered").await;
    run.edit(&Manifest {
        replicas: 0,
        ..manifest
    });
    run.next("drained").await;
    assert_eq!(registered_urls(&sandbox).len(), 1);
    run.stop().await;
}
