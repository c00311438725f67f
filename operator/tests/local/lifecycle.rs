//! Start, death and back-off of replicas.

use rustix::process::Signal;

use crate::run::{Manifest, Readable, Run, pid, registered_urls, sandbox};

#[tokio::test]
async fn a_fleet_starts_registers_survives_a_kill_and_leaves_nothing() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest::new(3, &sandbox));
    let settled = run.next("settled").await;
    let registered = run.next("registered").await;
    assert_eq!(
        (&registered["urls"], &registered["data_source"]),
        (&3.into(), &"sales".into())
    );
    let rows = settled["replicas"].as_array().unwrap();
    let urls: Vec<_> = rows.iter().map(|row| row["url"].as_str().unwrap().to_owned()).collect();
    assert!(
        urls.iter().all(|url| url.starts_with("grpc+tls://localhost:")),
        "{urls:?}"
    );
    assert_eq!(registered_urls(&sandbox), urls);
    assert_eq!(sandbox.writes(), 1);

    let victim = u32::try_from(rows[1]["pid"].as_u64().unwrap()).unwrap();
    rustix::process::kill_process(pid(victim), Signal::KILL).unwrap();
    let died = run.next("died").await;
    assert_eq!((&died["replica"], &died["pid"]), (&"sales-1".into(), &victim.into()));
    assert!(died["status"].as_str().unwrap().contains("SIGKILL"), "{died}");
    let started = run.next("started").await;
    assert_eq!(
        (&started["replica"], &started["url"]),
        (&"sales-1".into(), &urls[1].as_str().into())
    );
    run.next_where("registered", |event| event["urls"] == 3).await;
    assert_eq!(registered_urls(&sandbox), urls);

    let seen = run.stop().await;
    let drained = seen
        .iter()
        .filter(|event| event["event"] == "drained" && event["killed"] == false);
    assert_eq!(drained.count(), 3);
    assert!(sandbox.data_source_ids().is_empty(), "deletionPolicy: Delete");
}

#[tokio::test]
async fn people_read_sentences_and_a_table() {
    let sandbox = sandbox().await;
    let mut run = Readable::start(&Manifest::new(2, &sandbox));
    let lines = run.lines_until("Registered data source").await;
    let expected = format!("Registered data source \"sales\" at {} (2 URLs)", sandbox.endpoint());
    assert_eq!(lines.last(), Some(&expected));
    let header = lines.iter().position(|line| line.starts_with("REPLICA  ")).unwrap();
    for (ordinal, row) in lines[header + 1..header + 3].iter().enumerate() {
        assert!(
            row.starts_with(&format!("sales-{ordinal}  ")) && row.ends_with("  ready"),
            "{row}"
        );
    }
    let lines = run.end().await;
    assert_eq!(lines.last().map(String::as_str), Some("Stopped"));
    assert!(
        run.logs()
            .await
            .lines()
            .any(|line| line.starts_with("sales-1: serving")),
        "--verbose"
    );
}

#[tokio::test]
async fn the_url_of_a_dead_replica_leaves_at_once_but_never_the_last() {
    let sandbox = sandbox().await;
    let mut run = Run::start(&Manifest::new(2, &sandbox));
    run.next("registered").await;
    let pids = run.pids();
    rustix::process::kill_process(pids[0], Signal::KILL).unwrap();
    run.next_where("registered", |event| event["urls"] == 1).await;
    run.next_where("registered", |event| event["urls"] == 2).await;
    run.stop().await;

    let mut run = Run::start(&Manifest::new(1, &sandbox));
    run.next("registered").await;
    let writes = sandbox.writes();
    rustix::process::kill_process(run.pids()[0], Signal::KILL).unwrap();
    run.next("ready").await;
    assert_eq!((registered_urls(&sandbox).len(), sandbox.writes()), (1, writes));
    run.stop().await;
}

#[tokio::test]
async fn a_port_that_somebody_else_takes_is_given_up() {
    // The first process ends before it listens; by then its port is taken, and the second has another.
    let failing = Manifest {
        settings: "    fake: {fail: 'not now'}\n",
        ..Manifest::unregistered(1)
    };
    let mut run = Run::start(&failing);
    let started = run.next("started").await;
    let url = started["url"].as_str().unwrap().to_owned();
    let port = url.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let _thief = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    run.edit(&Manifest::unregistered(1));
    let settled = run.next("settled").await;
    assert_ne!(settled["replicas"][0]["url"], url.as_str());
    run.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_start_is_reported_in_its_own_words_with_growing_pauses() {
    let manifest = Manifest {
        settings: "    fake: {fail: 'server.task_threads: must be a number'}\n",
        ..Manifest::unregistered(1)
    };
    let mut run = Run::start(&manifest);
    let first = run.next("died").await;
    assert_eq!(first["status"], "exit status: 1");
    assert_eq!(first["last_line"], "server.task_threads: must be a number");
    let second = run.next("died").await;
    assert!(
        second["restart_in_ms"].as_u64() > first["restart_in_ms"].as_u64(),
        "{first} {second}"
    );
    // The cure is an edit away.
    run.edit(&Manifest::unregistered(1));
    run.next("settled").await;
    run.stop().await;
}
