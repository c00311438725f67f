//! Every way in which a run ends.

use rustix::process::Signal;

use crate::run::{DEADLINE, Manifest, Run, eventually, sandbox};
use tokio::time::timeout;

const HANGING: &str = "    fake: {hang: true}\n";

#[tokio::test]
async fn a_retained_data_source_stays() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest {
        deletion_policy: "Retain",
        ..Manifest::new(1, &sandbox)
    });
    run.next("registered").await;
    let seen = run.stop().await;
    assert!(seen.iter().any(|event| event["event"] == "unregistered"));
    assert_eq!(sandbox.data_source_ids(), ["sales"]);

    // The next run takes it over: its URL leads here.
    let mut run = Run::start(&Manifest::new(1, &sandbox));
    run.next("registered").await;
    run.stop().await;
    assert!(sandbox.data_source_ids().is_empty());
}

#[tokio::test]
async fn a_data_source_that_cannot_be_deleted_does_not_hold_up_the_end() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest::new(1, &sandbox));
    run.next("registered").await;
    sandbox.inject([flexconnect_sandbox::Fault::down()]);
    let seen = run.stop().await;
    let told = seen.iter().find(|event| event["event"] == "unregistered").unwrap();
    assert!(
        told["outcome"]
            .as_str()
            .unwrap()
            .starts_with("could not be deleted and stays: "),
        "{told}"
    );
}

#[tokio::test]
async fn the_second_signal_kills() {
    let mut run = Run::start(&Manifest {
        settings: HANGING,
        ..Manifest::unregistered(2)
    });
    run.next("settled").await;
    run.signal(Signal::INT);
    run.next("draining").await;
    run.next("draining").await;
    run.signal(Signal::TERM);
    let drained = run.next("drained").await;
    assert_eq!(drained["killed"], true);
    run.next("stopped").await;
    assert!(timeout(DEADLINE, run.child.wait()).await.unwrap().unwrap().success());
    run.assert_nothing_is_left().await;
}

#[tokio::test]
async fn sigterm_while_replicas_start_leaves_nothing() {
    let mut run = Run::start(&Manifest::unregistered(3));
    run.next("started").await;
    run.signal(Signal::TERM);
    run.next("stopped").await;
    assert!(timeout(DEADLINE, run.child.wait()).await.unwrap().unwrap().success());
    run.assert_nothing_is_left().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_replicas_of_a_killed_run_drain_by_themselves() {
    let mut run = Run::start(&Manifest::unregistered(2));
    run.next("settled").await;
    let log = run.seen.iter().find(|event| event["event"] == "started").unwrap()["log"]
        .as_str()
        .unwrap()
        .to_owned();
    run.signal(Signal::KILL);
    run.assert_processes_end().await;
    assert!(std::path::Path::new(&log).exists(), "a killed run cannot clean up");
}

#[tokio::test]
async fn a_named_work_directory_keeps_the_logs_alone() {
    let parent = tempfile::tempdir().unwrap();
    let work = parent.path().join("work");
    let mut run = Run::start_with(&Manifest::unregistered(1), &["--work-dir", work.to_str().unwrap()]);
    run.next("settled").await;
    let log = work.join("sales-0.log");
    eventually(|| std::fs::read_to_string(&log).is_ok_and(|text| text.contains("serving"))).await;
    run.stop().await;
    let left: Vec<_> = std::fs::read_dir(&work)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["sales-0.log"]);
}
