//! The ordered end: nobody who is served, or waits for a result, notices.

use std::time::Duration;

use flexconnect_server::{Running, Server};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::functions::{Gate, Gated, Numbers, Streamed};
use super::harness::{SOON, anew, call, code, connect, eventually, read, rows, start, ticket};

async fn serve(gate: &Gate, settings: &str) -> Running {
    let server = Server::builder()
        .function(Numbers)
        .function(Gated {
            calls: gate.clone(),
            load: None,
        })
        .function(Streamed(gate.clone()))
        .build();
    start(server, &format!("[server]\n{settings}")).await
}

const AT_ONCE: &str = "lame_duck_sec = 0\npropagation_delay_sec = 0\ndrain_timeout_sec = 60";

#[tokio::test(flavor = "multi_thread")]
async fn running_calls_finish_and_results_are_read_while_new_calls_are_sent_elsewhere() {
    let gate = Gate::closed();
    let running = serve(&gate, AT_ONCE).await;
    let address = running.address();
    let mut client = connect(address).await;
    let unread = call(&mut client, "Numbers").await.unwrap();
    let mut other = client.clone();
    let in_flight = tokio::spawn(async move { call(&mut other, "Gated").await });
    gate.somebody_waits().await;

    let draining = tokio::spawn(running.drain());
    let refused = eventually(|| async {
        match anew(address, async |mut client| call(&mut client, "Numbers").await).await {
            // It came before the end of the lame duck, and its result must not wait to be read.
            Ok(info) => {
                anew(address, async |mut client| read(&mut client, &info).await)
                    .await
                    .unwrap();
                None
            }
            Err(status) => Some(status),
        }
    })
    .await;
    assert_eq!((refused.code(), code(&refused)), (Code::Unavailable, 131_574));
    assert_eq!(refused.message(), "Server is shutting down.. Detail: Unavailable");

    gate.let_one_pass();
    let finished = in_flight.await.unwrap().unwrap();
    let mut late = connect(address).await;
    assert_eq!(rows(&read(&mut late, &unread).await.unwrap()), 3);
    assert!(!draining.is_finished(), "a result is still unread");
    assert_eq!(rows(&read(&mut late, &finished).await.unwrap()), 1);
    let left = timeout(SOON, draining).await.unwrap().unwrap();
    assert!(left.is_idle(), "{left:?}");
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_being_read_is_read_to_its_end() {
    let gate = Gate::closed();
    let running = serve(&gate, AT_ONCE).await;
    let mut client = connect(running.address()).await;
    let info = call(&mut client, "Streamed").await.unwrap();
    let mut messages = client.do_get(ticket(&info)).await.unwrap().into_inner();
    assert!(messages.message().await.unwrap().is_some());
    gate.somebody_waits().await;

    let draining = tokio::spawn(running.drain());
    gate.let_one_pass();
    let mut more = 0;
    while timeout(SOON, messages.message()).await.unwrap().unwrap().is_some() {
        more += 1;
    }
    assert_eq!(more, 2);
    assert!(timeout(SOON, draining).await.unwrap().unwrap().is_idle());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lame_duck_serves_those_who_do_not_know_yet() {
    let gate = Gate::closed();
    let running = serve(
        &gate,
        "lame_duck_sec = 60\npropagation_delay_sec = 2\ndrain_timeout_sec = 60",
    )
    .await;
    let address = running.address();
    let mut known = connect(address).await;
    let draining = tokio::spawn(running.drain());
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(500) {
        let info = anew(address, async |mut client| call(&mut client, "Numbers").await)
            .await
            .unwrap();
        let batches = anew(address, async |mut client| read(&mut client, &info).await)
            .await
            .unwrap();
        assert_eq!(rows(&batches), 3);
    }
    // The connection was asked to go; the client opens another one by itself.
    let info = eventually(|| {
        let mut known = known.clone();
        async move { call(&mut known, "Numbers").await.ok() }
    })
    .await;
    let last_call = Instant::now();
    assert_eq!(rows(&read(&mut known, &info).await.unwrap()), 3);
    assert!(timeout(SOON, draining).await.unwrap().unwrap().is_idle());
    assert!(
        last_call.elapsed() >= Duration::from_millis(1900),
        "quiet for the propagation delay"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_does_not_hold_the_drain() {
    let running = serve(&Gate::closed(), AT_ONCE).await;
    let mut silent = TcpStream::connect(running.address()).await.unwrap();
    call(&mut connect(running.address()).await, "Unknown")
        .await
        .unwrap_err();
    let start = Instant::now();
    timeout(SOON, running.drain()).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(matches!(
        timeout(SOON, silent.read(&mut [0; 1])).await.unwrap(),
        Ok(0) | Err(_)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drain_ends_when_its_time_is_up() {
    let gate = Gate::closed();
    let running = serve(
        &gate,
        "lame_duck_sec = 0\npropagation_delay_sec = 0\ndrain_timeout_sec = 1",
    )
    .await;
    let mut client = connect(running.address()).await;
    let in_flight = tokio::spawn(async move { call(&mut client, "Gated").await });
    gate.somebody_waits().await;
    let left = timeout(SOON, running.drain()).await.unwrap();
    assert_eq!((left.tasks.running, left.calls), (1, 1));
    assert!(in_flight.await.unwrap().is_err());
}
