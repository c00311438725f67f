//! `/live` and `/ready` over HTTP.

use flexconnect_server::Server;
use tokio::net::{TcpListener, TcpStream};

use super::functions::{Numbers, Unloadable};
use super::harness::{config, eventually, free_port, http_status, start};

fn settings(port: u16) -> String {
    format!(
        "[server]\nhealth_check_host = '127.0.0.1'\nhealth_check_port = {port}\nlame_duck_sec = 30\npropagation_delay_sec = 30"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_probes() {
    let port = free_port();
    let _running = start(Server::builder().function(Numbers).build(), &settings(port)).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    assert_eq!(http_status(port, "GET /ready").await, Some(204));
    assert_eq!(http_status(port, "HEAD /live").await, Some(204));
    assert_eq!(http_status(port, "POST /live").await, Some(405));
    assert_eq!(http_status(port, "GET /metrics").await, Some(404));
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_goes_as_soon_as_the_drain_begins() {
    let port = free_port();
    let running = start(Server::builder().function(Numbers).build(), &settings(port)).await;
    let draining = tokio::spawn(running.drain());
    eventually(|| async { (http_status(port, "GET /ready").await == Some(500)).then_some(()) }).await;
    assert_eq!(http_status(port, "GET /live").await, Some(204));
    draining.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_leaves_no_port_behind() {
    let mut config = config("");
    config.server.listen.port = free_port();
    let port = config.server.listen.port;
    // Loading comes after the ports are open, so that clients are told to come again.
    let started = Server::builder().function(Unloadable).build().start(config).await;
    assert!(started.is_err());
    eventually(|| async { TcpListener::bind(("127.0.0.1", port)).await.ok() }).await;
}
