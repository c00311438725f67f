//! Listing and calling, and what is answered before functions are loaded.

use arrow_flight::Criteria;
use flexconnect_server::Server;
use futures::TryStreamExt as _;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::functions::{Gate, Gated, Numbers};
use super::harness::{call, code, command, config, connect, eventually, free_port, http_status, read, rows, start};

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_listed_called_and_read() {
    let running = start(Server::builder().function(Numbers).build(), "").await;
    let mut client = connect(running.address()).await;
    let listed: Vec<_> = client
        .list_flights(Criteria::default())
        .await
        .unwrap()
        .into_inner()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        listed[0].flight_descriptor.as_ref().unwrap().cmd,
        r#"{"functionName":"Numbers","metadata":null}"#
    );

    let info = call(&mut client, "Numbers").await.unwrap();
    assert_eq!(info.endpoint[0].location[0].uri, "grpc://this.machine:17001");
    for _ in 0..2 {
        assert_eq!(rows(&read(&mut client, &info).await.unwrap()), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_requests_are_read_and_answers_are_not_compressed() {
    let running = start(Server::builder().function(Numbers).build(), "").await;
    let client = connect(running.address()).await;
    let mut client = client
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let answer = client.get_flight_info(command("Numbers")).await.unwrap();
    assert_eq!(
        answer.metadata().get("grpc-accept-encoding").unwrap(),
        "identity, deflate, gzip"
    );
    assert!(answer.metadata().get("grpc-encoding").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_is_open_but_locked_while_functions_load() {
    let (load, calls) = (Gate::closed(), Gate::closed());
    let (flight, health) = (free_port(), free_port());
    let mut config = config(&format!(
        "[server]\nhealth_check_host = '127.0.0.1'\nhealth_check_port = {health}"
    ));
    config.server.listen.port = flight;
    let server = Server::builder()
        .function(Numbers)
        .function(Gated {
            calls,
            load: Some(load.clone()),
        })
        .build();
    let starting = tokio::spawn(server.start(config));
    load.somebody_waits().await;

    let mut client = connect(([127, 0, 0, 1], flight).into()).await;
    let refused = call(&mut client, "Numbers").await.unwrap_err();
    assert_eq!((refused.code(), code(&refused)), (Code::Unavailable, 197_109));
    assert_eq!(refused.message(), "Try again later.. Detail: Unavailable");
    assert_eq!(http_status(health, "GET /live").await, Some(204));
    assert_eq!(http_status(health, "GET /ready").await, Some(500));

    load.let_one_pass();
    let _running = starting.await.unwrap().unwrap();
    assert_eq!(http_status(health, "GET /ready").await, Some(204));
    eventually(|| {
        let mut client = client.clone();
        async move { call(&mut client, "Numbers").await.ok() }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_wait_on_one_connection() {
    let gate = Gate::closed();
    let server = Server::builder()
        .function(Gated {
            calls: gate.clone(),
            load: None,
        })
        .build();
    let running = start(server, "[server]\ntask_threads = 400").await;
    let client = connect(running.address()).await;
    let calls: Vec<_> = (0..400)
        .map(|_| {
            let mut client = client.clone();
            tokio::spawn(async move { call(&mut client, "Gated").await })
        })
        .collect();
    for _ in 0..400 {
        gate.somebody_waits().await;
    }
    (0..400).for_each(|_| gate.let_one_pass());
    for call in calls {
        call.await.unwrap().unwrap();
    }
}
