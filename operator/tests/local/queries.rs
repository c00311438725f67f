//! The whole path on one machine: the program, real servers, and queries that GoodData would send through the data
//! source, with TLS, the token and the registered URLs.

use std::cell::Cell;
use std::collections::BTreeSet;

use flexconnect_sandbox::{Answer, DEFAULT_TOKEN, Options, Query, Sandbox};
use rustix::process::{Signal, kill_process};

use crate::run::{Manifest, Run, registered_urls, sdk_server};

/// The replica that answered.
async fn ask(sandbox: &Sandbox) -> String {
    let answer = reqwest::Client::new()
        .post(format!("{}/sandbox/dataSources/sales/query", sandbox.endpoint()))
        .bearer_auth(DEFAULT_TOKEN)
        .header("content-type", "application/json")
        .body(serde_json::to_string(&Query::of("WhoAmI")).unwrap())
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    let answer: Answer = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    answer.rows[0][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn queries_are_answered_by_every_replica_and_through_the_death_of_one() {
    // The connection test dials; a query that meets a dead URL fails, so the answers show what is registered.
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let mut run = Run::start_server(&sdk_server(), &Manifest::new(3, &sandbox), &[]);
    run.next_where("registered", |event| event["urls"] == 3).await;
    let all = BTreeSet::from(["sales-0", "sales-1", "sales-2"].map(str::to_owned));
    let mut answered = BTreeSet::new();
    for _ in 0..3 {
        answered.insert(ask(&sandbox).await);
    }
    assert_eq!(answered, all, "round-robin");

    let victim = run.pid_of("sales-1");
    kill_process(victim, Signal::KILL).unwrap();
    run.next_where("registered", |event| event["urls"] == 2).await;
    for _ in 0..4 {
        assert_ne!(ask(&sandbox).await, "sales-1");
    }
    run.next_where("registered", |event| event["urls"] == 3).await;
    let mut answered = BTreeSet::new();
    for _ in 0..3 {
        answered.insert(ask(&sandbox).await);
    }
    assert_eq!(answered, all, "the one that was killed is back");

    let seen = run.stop().await;
    assert!(
        !seen.iter().any(|event| event["event"] == "connection_tested"),
        "GoodData reached the fleet: {seen:#?}"
    );
    assert!(sandbox.data_source_ids().is_empty());
}

#[tokio::test]
async fn new_settings_and_scaling_cost_no_query() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let manifest = Manifest::new(2, &sandbox);
    let mut run = Run::start_server(&sdk_server(), &manifest, &[]);
    run.next("registered").await;

    // The last query is read to its end: a drain waits for results that nobody has read.
    let done = Cell::new(false);
    let asking = async {
        while !done.get() {
            ask(&sandbox).await;
        }
    };
    let changing = async {
        let changed = Manifest {
            settings: "    sales: {region: EMEA}\n",
            ..manifest
        };
        run.edit(&changed);
        run.next("changed").await;
        run.next("settled").await;
        run.next_where("registered", |event| event["urls"] == 2).await;
        run.edit(&Manifest {
            replicas: 3,
            ..changed.clone()
        });
        run.next_where("registered", |event| event["urls"] == 3).await;
        run.edit(&Manifest { replicas: 1, ..changed });
        run.next("drained").await;
        run.next("drained").await;
        done.set(true);
    };
    tokio::join!(asking, changing);
    assert_eq!(registered_urls(&sandbox).len(), 1);
    run.stop().await;
}
