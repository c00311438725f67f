//! HTTP/2 as it is on the wire.

use std::collections::BTreeMap;

use flexconnect_server::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::harness::{SOON, start};

const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_the_originals() {
    let running = start(Server::builder().build(), "").await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    // The preface, and a SETTINGS frame without settings.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    let mut header = [0; 9];
    timeout(SOON, stream.read_exact(&mut header)).await.unwrap().unwrap();
    assert_eq!(header[3], 4, "the first frame is SETTINGS");
    let mut payload = vec![0; usize::from(header[2])];
    timeout(SOON, stream.read_exact(&mut payload)).await.unwrap().unwrap();
    let settings: BTreeMap<u16, u32> = payload
        .chunks(6)
        .map(|entry| {
            (
                u16::from_be_bytes([entry[0], entry[1]]),
                u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]),
            )
        })
        .collect();
    assert_eq!(settings[&INITIAL_WINDOW_SIZE], 4_194_304);
    assert_eq!(settings[&MAX_FRAME_SIZE], 4_194_304);
    assert_eq!(settings[&MAX_HEADER_LIST_SIZE], 16_384);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_are_let_go_at_once() {
    let running = start(Server::builder().build(), "").await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(ended.is_err() || answer.is_empty());
}
