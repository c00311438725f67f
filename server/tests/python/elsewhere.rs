//! Functions in a container of their own: the host comes and goes, the server comes and goes, and each outlives the other.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::containers::{HOST, Pod, Ports, SERVER};
use super::harness::{call, code, connect, read, rows};
use super::started::{Started, runs};

async fn serves(server: &Started) {
    let mut client = connect(server.address).await;
    for (function, expected) in [("Tiny", 3), ("Wide", 131_072), ("Stream", 200)] {
        let info = call(&mut client, function).await.unwrap();
        assert_eq!(rows(&read(&mut client, &info).await.unwrap()), expected, "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_container_of_functions_is_killed_and_the_server_lives() {
    let pod = Pod::new();
    let server = pod.server();
    server.event("python_socket_open");
    assert!(!server.is_ready(), "there is no host");
    let host = pod.host();
    server.until("ready", Started::is_ready);
    serves(&server).await;
    server.has_workers(2);
    let processes = host.processes();
    let owner = |process: i32| fs::metadata(format!("/proc/{process}")).unwrap().uid();
    assert!(processes.len() >= 3 && processes.iter().all(|process| owner(*process) == HOST));
    assert_eq!(fs::metadata(pod.socket()).unwrap().uid(), SERVER);
    let ignored = server.events("python_image_settings_ignored");
    assert!(ignored.is_empty(), "{ignored:?}");

    let mut client = connect(server.address).await;
    let kept = call(&mut client, "Wide").await.unwrap();
    let running = server.events("task_run").len();
    let mut other = connect(server.address).await;
    let sleeping = tokio::spawn(async move { call(&mut other, "Sleep").await });
    server.until("a call", |server| server.events("task_run").len() > running);
    host.kill();
    server.until("not ready", |server| !server.is_ready());
    let error = sleeping.await.unwrap().unwrap_err();
    assert_eq!(code(&error), 5, "COMMAND_FAILED");
    assert!(error.message().contains("ended together with all others"), "{error}");
    assert!(processes.iter().all(|process| !runs(*process)));
    assert_eq!(
        rows(&read(&mut client, &kept).await.unwrap()),
        131_072,
        "stored results stay"
    );

    let _next = pod.host();
    server.until("ready", Started::is_ready);
    serves(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_serves_the_servers_that_come_one_after_the_other() {
    let pod = Pod::new();
    let mut host = pod.host();
    for way in ["ended", "killed", "the last"] {
        let mut server = pod.server();
        server.until("ready", Started::is_ready);
        serves(&server).await;
        assert_eq!(pod.ask_host(&["live"]), (true, String::new()));
        match way {
            "ended" => {
                assert_eq!(server.terminate(), Some(0));
                assert!(!pod.socket().exists(), "a server that ends takes its socket away");
            }
            "killed" => server.kill(),
            _ => continue,
        }
        server.until("no worker", |_| host.processes().len() == 2);
        assert!(host.runs(), "the host outlives its servers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_that_do_not_load_stop_neither_server_nor_host() {
    let pod = Pod::new();
    let working = fs::read_to_string(pod.at("image/functions.py")).unwrap();
    pod.write("image/functions.py", "raise RuntimeError('no warehouse')");
    let server = pod.server();
    let mut host = pod.host();
    let event = server.event("python_functions_not_loaded");
    assert_eq!(event["reason"], "RuntimeError: no warehouse");
    assert!(!server.is_ready() && host.runs());
    // It is tried again, and works as soon as it can.
    pod.write("image/functions.py", &working);
    server.until("ready", Started::is_ready);
    assert!(host.runs());
    serves(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_host_is_sent_away() {
    let pod = Pod::new();
    let server = pod.server();
    let first = pod.host();
    server.until("ready", Started::is_ready);
    let mut second = pod.host();
    let event = server.event("python_host_refused");
    assert_eq!(event["reason"], "the server has one already");
    serves(&server).await;
    assert!(second.runs(), "it waits for its time");
    first.kill();
    server.until("the second's time", |server| {
        server.events("python_host_ready").len() == 2
    });
    server.until("ready", Started::is_ready);
}

#[test]
fn what_is_wrong_with_the_socket_is_one_sentence() {
    let pod = Pod::new();
    let fails = |socket: &Path, python: &str| {
        let output = pod.server_command(Ports::free(), socket, python).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().last().unwrap().to_owned()
    };
    let long = pod.at(&"long".repeat(30));
    let text = fails(&long, "");
    assert!(text.contains("python.socket") && text.contains("107 at most"), "{text}");
    let text = fails(&pod.at("none/python.sock"), "");
    assert!(text.contains("none of python.socket is not there: mount"), "{text}");
    let text = fails(&pod.at("image/python.sock"), "");
    assert!(
        text.contains("user 65532 may not make a socket in") && text.contains("fsGroup"),
        "{text}"
    );
    let text = fails(&pod.at("image/functions.py"), "");
    assert!(text.contains("is there already and no socket"), "{text}");
    let text = fails(&pod.socket(), "path = ['/src']\n");
    assert!(text.contains("python.path") && text.contains("python.socket"), "{text}");
    let (well, text) = pod.ask_host(&["live"]);
    assert!(!well && text.contains("no host shows itself"), "{text}");

    let first = pod.server();
    first.event("python_socket_open");
    let text = fails(&pod.socket(), "");
    assert!(text.contains("somebody else listens on"), "{text}");
}
