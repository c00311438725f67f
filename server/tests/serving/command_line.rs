//! `functions` and `call` of the binary, against a server elsewhere.

use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use flexconnect_server::Server;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::functions::{Gate, Gated, Numbers};
use super::harness::{call, connect, start};

/// The binary, which has no functions of its own; it asks the server at this address.
fn client(address: SocketAddr, arguments: &[&str]) -> Command {
    client_of(&format!("grpc://{address}"), arguments)
}

/// The same, with a URL of any kind.
pub(super) fn client_of(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flexconnect-server"));
    command
        .args(arguments)
        .args(["--url", url])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(super) async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub(super) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_a_server_are_listed() {
    let running = start(Server::builder().function(Numbers).build(), "").await;
    let output = run(client(running.address(), &["functions", "--format", "json"])).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let columns = json!([{"name": "number", "type": "Int64", "nullable": false}]);
    assert_eq!(
        listed,
        json!([{"functionName": "Numbers", "columns": columns, "metadata": null}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_from_a_server_polled_or_not() {
    let running = start(Server::builder().function(Numbers).build(), "").await;
    for more in [&["--limit", "2"][..], &["--limit", "2", "--no-poll"]] {
        let arguments = [&["call", "Numbers", "--format", "csv"], more].concat();
        let output = run(client(running.address(), &arguments)).await;
        assert_eq!(text(&output.stderr), "");
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), "number\n1\n2\n")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_takes_its_time_is_asked_for_again() {
    let gate = Gate::closed();
    let gated = Gated {
        calls: gate.clone(),
        load: None,
    };
    let server = Server::builder().function(gated).build();
    let running = start(server, "[flexconnect]\npolling_interval_ms = 20").await;
    let asking = tokio::spawn(run(client(running.address(), &["call", "Gated", "--format", "json"])));
    gate.somebody_waits().await;
    gate.let_one_pass();
    let output = asking.await.unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), "[{\"number\":1}]\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_call_on_the_server() {
    let gate = Gate::closed();
    let gated = Gated {
        calls: gate.clone(),
        load: None,
    };
    let server = Server::builder().function(gated).function(Numbers).build();
    // One slot: another call runs only once the first is out of the way.
    let settings = "[server]\ntask_threads = 1\n[flexconnect]\npolling_interval_ms = 20";
    let running = start(server, settings).await;
    let child = client(running.address(), &["call", "Gated"]).spawn().unwrap();
    gate.somebody_waits().await;
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap())
        .await
        .unwrap();
    assert_eq!(text(&output.stderr), "cancelled\n");
    assert_eq!(output.status.code(), Some(130));
    call(&mut connect(running.address()).await, "Numbers").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_one_sentence() {
    let running = start(Server::builder().function(Numbers).build(), "").await;
    let address = running.address();
    let output = run(client(address, &["call", "Nobody"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        format!("error: grpc://{address} answered: Unsupported FlexConnect function 'Nobody' [bad_argument (1)]\n")
    );
    drop(running);
    let output = run(client(address, &["functions"])).await;
    assert_eq!(output.status.code(), Some(1));
    let refused = format!("error: cannot reach grpc://{address}: ");
    assert!(text(&output.stderr).starts_with(&refused), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_and_may_be_in_a_file() {
    let settings = "[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = ['secret']";
    let running = start(Server::builder().function(Numbers).build(), settings).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "secret\n").unwrap();
    let from_file = format!("@{}", file.display());
    for (token, code) in [("secret", 0), (from_file.as_str(), 0), ("wrong", 1)] {
        let output = run(client(running.address(), &["functions", "--token", token])).await;
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains(token), "{}", text(&output.stderr));
    }
}
