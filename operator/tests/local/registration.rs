//! What a GoodData that misbehaves does to a local fleet: nothing but words.

use std::time::Duration;

use flexconnect_sandbox::{Fault, FaultKind};
use rstest::rstest;

use crate::run::{Manifest, Run, is_alive, registered_urls, sandbox};

#[rstest]
#[case::down(Fault::down(), "Unavailable")]
#[case::unauthorized(Fault::new(FaultKind::Unauthorized), "Unauthorized")]
#[case::garbage(Fault::new(FaultKind::Garbage), "UnexpectedAnswer")]
#[case::limited(Fault::new(FaultKind::RateLimited(1)), "RateLimited")]
#[tokio::test]
async fn the_fleet_serves_and_registers_later(#[case] fault: Fault, #[case] reason: &str) {
    let sandbox = sandbox().await;
    sandbox.inject([fault]);
    let mut run = Run::start(&Manifest::new(1, &sandbox));
    let failed = run.next("registration_failed").await;
    assert_eq!(failed["reason"], reason);
    assert!(run.pids().iter().all(|pid| is_alive(*pid)));
    sandbox.heal();
    run.next("registered").await;
    let seen = run.stop().await;
    let told = seen.iter().filter(|event| event["event"] == "registration_failed");
    assert!(told.count() <= 2, "the same failure is told once: {seen:#?}");
}

#[tokio::test]
async fn a_slow_gooddata_delays_no_replica() {
    let sandbox = sandbox().await;
    sandbox.inject([Fault::slow(Duration::from_hours(1))]);
    let manifest = Manifest::new(1, &sandbox);
    let mut run = Run::start(&manifest);
    run.next("settled").await;
    run.edit(&Manifest {
        replicas: 2,
        ..manifest
    });
    run.next_where("ready", |event| event["replica"] == "sales-1").await;
    sandbox.heal();
    run.stop().await;
}

#[tokio::test]
async fn what_was_changed_over_there_is_repaired() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest::new(1, &sandbox));
    run.next("registered").await;
    let urls = registered_urls(&sandbox);
    let answer = reqwest::Client::new()
        .delete(format!("{}/api/v1/entities/dataSources/sales", sandbox.endpoint()))
        .bearer_auth(flexconnect_sandbox::DEFAULT_TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 204);
    let repaired = run.next("registered").await;
    assert_eq!(repaired["repaired"], true);
    assert_eq!(registered_urls(&sandbox), urls);
    run.stop().await;
}
