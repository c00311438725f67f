//! A module with Flight methods of its own: one process, behind the server, killed while it answers.

use std::net::SocketAddr;

use arrow_flight::{Action, Criteria, FlightDescriptor, Ticket};
use tonic::{Code, Status};

use super::harness::{code, connect};
use super::started::{Started, descendants, interpreter, kill, runs};

/// The process that answers.
async fn process(address: SocketAddr) -> Result<i32, Status> {
    let mut client = connect(address).await;
    let mut answers = client.do_action(Action::new("process", "")).await?.into_inner();
    let answer = answers.message().await?.expect("an answer");
    Ok(String::from_utf8(answer.body.to_vec()).unwrap().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_one_process_answers_and_calls_say_when_it_is_killed() {
    let server = Started::of("service", &interpreter(), "");
    server.has_workers(1);
    let first = process(server.address).await.unwrap();
    assert_eq!(server.workers(), [first]);

    let mut client = connect(server.address).await;
    let mut data = client.do_get(Ticket::new("endless")).await.unwrap().into_inner();
    data.message().await.unwrap().expect("a schema");
    let mut other = connect(server.address).await;
    let mut sleeping = other.do_action(Action::new("sleep", "")).await.unwrap().into_inner();
    sleeping.message().await.unwrap().expect("an answer");
    kill(first);
    let error = sleeping.message().await.unwrap_err();
    assert_eq!((error.code(), code(&error)), (Code::Internal, 5), "{error}");
    assert!(
        error
            .message()
            .contains("The call was broken off: the worker process that ran it was killed"),
        "{error}"
    );
    let error = loop {
        match data.message().await {
            Ok(data) => assert!(data.is_some(), "the stream does not end well"),
            Err(error) => break error,
        }
    };
    assert!(error.message().contains("was killed"), "{error}");
    server.until("not ready", |server| !server.is_ready() || server.workers().len() == 2);

    // Who calls now waits for the next one.
    let second = process(server.address).await.unwrap();
    assert_eq!(server.workers(), [first, second]);
    server.until("ready", Started::is_ready);
    assert_eq!(server.event("python_worker_ended")["reason"], "killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_no_memory_and_stops_nobody() {
    let server = Started::of("service", &interpreter(), "");
    let mut slow = Vec::new();
    for _ in 0..16 {
        let mut client = connect(server.address).await;
        let mut data = client.do_get(Ticket::new("endless")).await.unwrap().into_inner();
        data.message().await.unwrap().expect("a schema");
        slow.push((client, data));
    }
    process(server.address).await.unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(resident < 200_000, "{resident} kB");
    drop(slow);
    let mut client = connect(server.address).await;
    let error = client.get_schema(FlightDescriptor::new_cmd("x")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::Unimplemented, "GetSchema is not implemented.")
    );
    let error = client.list_flights(Criteria::default()).await.unwrap_err();
    assert_eq!(error.message(), "ListFlights is not implemented.");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_when_the_server_ends() {
    let mut server = Started::of("service", &interpreter(), "");
    let process = process(server.address).await.unwrap();
    assert!(descendants(server.process()).contains(&process));
    assert_eq!(server.terminate(), Some(0));
    let left = std::fs::read_dir(server.folder.path()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["server.toml"]);
    server.until("no process", |_| !runs(process));
}
