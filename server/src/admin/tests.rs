use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::endpoint::Admin;
use super::*;
use crate::drain::Phase;
use crate::task::{Limits, Tasks};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::TaskOutcome;

const LONG: Duration = Duration::from_secs(20);

/// Where probes and metrics are served.
struct Served {
    probes: std::net::SocketAddr,
    metrics: std::net::SocketAddr,
}

async fn serve(phase: Phase, counted: &Metrics) -> Served {
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.unwrap() };
    let (probes, metrics) = (bind().await, bind().await);
    let served = Served {
        probes: probes.local_addr().unwrap(),
        metrics: metrics.local_addr().unwrap(),
    };
    let limits = Limits {
        threads: 1,
        queue: 1,
        result_ttl: LONG,
        call_deadline: LONG,
        result_bytes: 1 << 20,
        ..Limits::default()
    };
    let health = Health::new(watch::channel(phase).1, vec![Pulse::new("part")]);
    let status = Status::new(health, counted.clone(), Tasks::start(limits));
    let admin = Admin::start().unwrap();
    probes::serve(&admin, probes, status).unwrap();
    scrape::serve(&admin, metrics, counted.clone()).unwrap();
    served
}

/// Status line, headers and content of the answer to one request.
async fn ask(address: std::net::SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), content.to_owned())
}

fn request(method: &str, path: &str, headers: &str, content: &str) -> String {
    let length = content.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{content}"
    )
}

#[rstest]
#[case("GET", "/live", Phase::Starting, 204)]
#[case("GET", "/ready", Phase::Starting, 500)]
#[case("GET", "/ready", Phase::Serving, 204)]
#[case("HEAD", "/ready", Phase::Serving, 204)]
#[case("GET", "/ready", Phase::LameDuck, 500)]
#[case("GET", "/live", Phase::Closing, 204)]
#[case("POST", "/live", Phase::Serving, 405)]
#[case("POST", "/status", Phase::Serving, 405)]
#[case("GET", "/", Phase::Serving, 404)]
#[case("GET", "/live/", Phase::Serving, 404)]
#[case("GET", "/live?x=1", Phase::Serving, 404)]
#[case("PUT", "/log-level", Phase::Serving, 400)]
#[tokio::test]
async fn probes_are_answered(#[case] method: &str, #[case] path: &str, #[case] phase: Phase, #[case] expected: u16) {
    let served = serve(phase, &Metrics::new()).await;
    let (status, _, _) = ask(served.probes, &request(method, path, "", "")).await;
    assert_eq!(status, expected);
}

#[tokio::test]
async fn the_status_tells_what_goes_on() {
    let metrics = Metrics::new();
    let _connection = metrics.connection_accepted();
    let served = serve(Phase::Serving, &metrics).await;
    let (status, head, content) = ask(served.probes, &request("GET", "/status", "", "")).await;
    let found: Value = serde_json::from_str(&content).unwrap();
    assert_eq!((status, head.contains("application/json")), (200, true));
    assert_eq!(found["phase"], "serving");
    assert_eq!(found["ready"], true);
    assert_eq!(found["last_call_at"], Value::Null);
    assert_eq!(found["connections"], 1);
    assert_eq!(found["tasks"]["running"], 0);
}

#[tokio::test]
async fn idle_connections_hold_nobody_up() {
    let served = serve(Phase::Serving, &Metrics::new()).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(TcpStream::connect(served.probes).await.unwrap());
    }
    let (status, _, _) = ask(served.probes, &request("GET", "/live", "", "")).await;
    assert_eq!(status, 204);
}

#[rstest]
#[case("GET", "/metrics", "", 200, "text/plain; version=0.0.4; charset=utf-8")]
#[case("GET", "/", "", 200, "text/plain; version=0.0.4; charset=utf-8")]
#[case(
    "GET",
    "/any/path",
    "accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1\r\n",
    200,
    "application/openmetrics-text; version=1.0.0; charset=utf-8"
)]
#[case("GET", "/favicon.ico", "", 200, "content-length: 0")]
#[case("OPTIONS", "/", "", 200, "allow: options,get")]
#[case("HEAD", "/metrics", "", 405, "allow: options,get")]
#[case("POST", "/metrics", "", 405, "allow: options,get")]
#[tokio::test]
async fn the_metrics_port_answers_as_the_original(
    #[case] method: &str,
    #[case] path: &str,
    #[case] headers: &str,
    #[case] expected: u16,
    #[case] header: &str,
) {
    let served = serve(Phase::Serving, &Metrics::new()).await;
    let (status, head, _) = ask(served.metrics, &request(method, path, headers, "")).await;
    assert_eq!(status, expected);
    assert!(head.contains(header), "{head}");
}

#[tokio::test]
async fn metrics_can_be_picked_by_name() {
    let metrics = Metrics::new();
    metrics.kind("Sales").task_waits().ended(TaskOutcome::Failed);
    let served = serve(Phase::Serving, &metrics).await;
    let query = "/metrics?name[]=gdfs_task_error_total&name%5B%5D=gdfs_task_queue";
    let (_, _, content) = ask(served.metrics, &request("GET", query, "", "")).await;
    let samples: Vec<_> = content.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, ["gdfs_task_error_total 1.0", "gdfs_task_queue 0.0"]);
}
