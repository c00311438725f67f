//! Ten thousand clients that are connected and want nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::binary::Started;
use super::harness::SOON;

const CLIENTS: usize = 10_000;

/// What one idle connection may cost.
const BYTES_EACH: u64 = 40 * 1024;

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A connection whose preface the server has answered.
async fn connect(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    timeout(SOON, stream.read_exact(&mut [0; 9])).await.unwrap().unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_connections_leave_room_for_one_more() {
    let limit = getrlimit(Resource::Nofile).maximum;
    assert!(
        limit.is_none_or(|limit| limit > CLIENTS as u64 + 500),
        "this test needs a hard limit of open files above {CLIENTS}: ulimit -Hn"
    );
    let raised = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::Nofile, raised).unwrap();

    let server = Started::new(&format!("max_connections = {}", CLIENTS + 100));
    let before = server.anonymous_memory();
    let mut clients = Vec::with_capacity(CLIENTS);
    while clients.len() < CLIENTS {
        clients.extend(futures::future::join_all((0..100).map(|_| connect(server.port()))).await);
    }
    let each = server.anonymous_memory().saturating_sub(before) / CLIENTS as u64;
    assert!(each < BYTES_EACH, "{each} bytes for each connection");
    let mut late = super::harness::connect(([127, 0, 0, 1], server.port()).into()).await;
    timeout(SOON, late.list_flights(arrow_flight::Criteria::default()))
        .await
        .unwrap()
        .unwrap();
}
