//! Workers, the host, and the server itself are ended in every way.

use std::fs;

use futures::future::select_all;

use super::harness::{call, connect, free_port, read};
use super::started::{Started, command, descendants, get, kill, runs};

async fn serves(server: &Started) {
    let mut client = connect(server.address).await;
    let info = call(&mut client, "Tiny").await.unwrap();
    assert_eq!(read(&mut client, &info).await.unwrap()[0].num_rows(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_costs_its_own_calls_only() {
    let server = Started::new("");
    server.has_workers(2);
    let mut calls = Vec::new();
    for _ in 0..2 {
        let mut client = connect(server.address).await;
        calls.push(tokio::spawn(async move { call(&mut client, "Sleep").await }));
        // The next one goes to the other worker.
        let running = calls.len();
        server.until("calls", |server| server.events("task_run").len() == running);
    }
    let [first, second] = server.workers()[..] else {
        panic!("two workers")
    };
    kill(first);
    let (ended, _, others) = select_all(calls).await;
    let error = ended.unwrap().unwrap_err();
    assert!(error.message().contains("was killed: perhaps out of memory"), "{error}");
    assert!(runs(second) && !others[0].is_finished(), "the other one goes on");
    serves(&server).await;
    server.has_workers(2);
    assert_eq!(server.event("python_worker_ended")["reason"], "killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_ends_its_process_fails_and_the_next_call_is_answered() {
    let server = Started::new("");
    let mut client = connect(server.address).await;
    let error = call(&mut client, "Exit").await.unwrap_err();
    assert!(error.message().contains("ended by itself, with exit code 3"), "{error}");
    serves(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_host_nothing_is_ready_until_workers_are_back() {
    let server = Started::new("");
    server.has_workers(2);
    let mut client = connect(server.address).await;
    let kept = call(&mut client, "Wide").await.unwrap();
    let mut other = connect(server.address).await;
    let sleeping = tokio::spawn(async move { call(&mut other, "Sleep").await });
    server.until("a call", |server| server.events("task_run").len() == 2);
    let workers = server.workers();
    let children = descendants(server.process());
    let host = children.iter().find(|process| !workers.contains(process));
    kill(*host.unwrap());
    server.until("not ready", |server| !server.is_ready());
    let error = sleeping.await.unwrap().unwrap_err();
    assert!(error.message().contains("ended together with all others"), "{error}");
    assert_eq!(
        read(&mut client, &kept).await.unwrap()[0].num_rows(),
        131_072,
        "stored results stay"
    );
    server.until("ready", Started::is_ready);
    serves(&server).await;
    server.until("no orphan", |_| workers.iter().all(|worker| !runs(*worker)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_server_that_is_killed_or_ends() {
    for killed in [true, false] {
        let mut server = Started::new("");
        server.has_workers(2);
        serves(&server).await;
        let processes = descendants(server.process());
        assert!(processes.len() >= 3, "a host and two workers: {processes:?}");
        if killed {
            server.kill();
        } else {
            assert_eq!(server.terminate(), Some(0));
            let left = fs::read_dir(server.folder.path()).unwrap().flatten();
            let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
            assert_eq!(left, ["server.toml"], "the socket and the Python side are gone");
        }
        server.until("no process", |_| processes.iter().all(|process| !runs(*process)));
        if killed {
            let left = || {
                let entries = fs::read_dir(server.folder.path()).unwrap().flatten();
                entries.filter(|entry| entry.path().is_dir()).count()
            };
            assert_eq!(left(), 1, "it could not take its folder away");
            let mut next = command("[flexconnect]\nfunctions = ['functions']\n", server.folder.path());
            let next = next.args(["functions", "--config"]);
            let listed = next.arg(server.folder.path().join("server.toml")).output().unwrap();
            assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
            assert_eq!(left(), 0, "the next one does");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_leave_no_descriptor_and_no_memory_behind() {
    let server = Started::new("task_result_ttl_sec = 1\n");
    server.has_workers(2);
    let mut client = connect(server.address).await;
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.process())).unwrap().count();
    let mapped = || {
        let maps = fs::read_to_string(format!("/proc/{}/maps", server.process())).unwrap();
        maps.matches("memfd:flexconnect").count()
    };
    // So many at a time, so that all slots are there.
    let mut before = 0;
    for round in 0..3 {
        for _ in 0..20 {
            let info = call(&mut client, "Wide").await.unwrap();
            read(&mut client, &info).await.unwrap();
            let unread = call(&mut client, "Stream").await.unwrap();
            drop(unread);
        }
        assert!(mapped() > 0, "results are shared memory");
        server.until("results gone", |_| mapped() == 0);
        if round == 0 {
            before = descriptors();
        }
    }
    assert!(
        descriptors() <= before + 4,
        "{} descriptors, and {before} before",
        descriptors()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_near_its_limit_is_replaced_and_no_call_notices() {
    let metrics = free_port();
    let server = Started::new(&format!(
        "metrics_host = '127.0.0.1'\nmetrics_port = {metrics}\n[python]\nworkers = 1\nworker_memory_bytes = 400000000\n"
    ));
    let mut client = connect(server.address).await;
    let measured = || -> f64 {
        let text = get(metrics, "/metrics").unwrap_or_default();
        let line = text
            .lines()
            .find(|line| line.starts_with("flexconnect_worker_memory_bytes{"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or_default()
    };
    let replaced = |server: &Started| !server.events("python_worker_ended").is_empty();
    server.until("measured", |_| measured() > 0.0);
    let start = measured();
    // Each call keeps 30 MB, and the next one waits until that was seen: calls are faster than workers are measured.
    for calls in 1.. {
        call(&mut client, "Greedy").await.unwrap();
        let most = start + f64::from(calls) * 3e7;
        server.until("measured again", |server| replaced(server) || measured() > most - 1e7);
        if replaced(&server) {
            break;
        }
        assert!(calls < 20, "nothing was replaced at {} bytes", measured());
    }
    assert_eq!(server.event("python_worker_ended")["reason"], "memory_limit");
    serves(&server).await;
}
