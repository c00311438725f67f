//! Clients that ask for much and take little.

use bytes::Bytes;
use h2::Reason;
use http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{sleep, timeout};

use super::harness::*;
use crate::config::ConnectionSettings;

fn impatient() -> ConnectionSettings {
    ConnectionSettings {
        stalled_client_timeout: Some(SHORT),
        ..settings()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_is_reset_and_the_connection_lives() {
    let lines = Lines::new(impatient());
    let mut client = lines.client().await;
    let mut body = client.start("/large").await.await.unwrap().into_body();
    // Nothing is given back to the window, so the server may send no more.
    lines.stalled(1).await;
    let mut received = 0;
    let end = loop {
        match timeout(SOON, body.data()).await.expect("an end") {
            Some(Ok(bytes)) => received += bytes.len(),
            Some(Err(error)) => break error,
            None => panic!("the answer never ends by itself"),
        }
    };
    assert_eq!(end.reason(), Some(Reason::CANCEL));
    assert!(received > 0);
    assert_eq!(client.call("/").await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_not_a_stalled_one() {
    let lines = Lines::new(impatient());
    let mut client = lines.client().await;
    let mut body = client.start("/large").await.await.unwrap().into_body();
    let mut received = 0;
    for _ in 0..12 {
        sleep(SHORT / 3).await;
        // As much as the window has, every now and then.
        loop {
            let Ok(Some(taken)) = timeout(SHORT / 30, body.data()).await else {
                break;
            };
            let bytes: Bytes = taken.expect("the server goes on");
            received += bytes.len();
            body.flow_control().release_capacity(bytes.len()).unwrap();
            if received % (256 * 1024) < bytes.len() {
                break;
            }
        }
    }
    assert!(received > 12 * 64 * 1024, "{received}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_its_time_is_not_a_stalled_client() {
    let lines = Lines::new(impatient());
    let mut client = lines.client().await;
    let slow = client.start("/slow").await;
    sleep(SHORT * 4).await;
    lines.go_on.notify_one();
    assert_eq!(slow.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_its_socket_is_given_up() {
    let port = Port::open(impatient(), None).await;
    let mut stream = greeted(port.connect().await).await.unwrap();
    // Windows as large as they can be, so that only the socket is in the way: SETTINGS_INITIAL_WINDOW_SIZE, and
    // WINDOW_UPDATE of the connection.
    let window = 0x7fff_ffff_u32.to_be_bytes();
    let setting = [&[0, 4][..], &window].concat();
    stream.write_all(&frame(SETTINGS, 0, 0, &setting)).await.unwrap();
    stream
        .write_all(&frame(8, 0, 0, &(0x7fff_ffff_u32 - 65_535).to_be_bytes()))
        .await
        .unwrap();
    // :method POST, :scheme http, :path /large.
    let path = [&[0x83, 0x86, 0x04, 6][..], b"/large"].concat();
    stream.write_all(&frame(HEADERS, 5, 1, &path)).await.unwrap();
    port.has_open(1).await;
    port.has_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_reset_and_the_connection_lives() {
    let lines = Lines::new(impatient());
    let mut client = lines.client().await;
    let request = Request::post("http://localhost/read").body(()).unwrap();
    let mut ready = client.send.clone().ready().await.unwrap();
    let (answer, mut body) = ready.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"half"), false).unwrap();
    lines.stalled(1).await;
    let end = timeout(SOON, answer).await.expect("an end").unwrap_err();
    assert_eq!(end.reason(), Some(Reason::CANCEL));
    assert_eq!(client.call("/").await.unwrap(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_slowly_is_not_a_stalled_one() {
    let lines = Lines::new(impatient());
    let client = lines.client().await;
    let request = Request::post("http://localhost/read").body(()).unwrap();
    let mut ready = client.send.clone().ready().await.unwrap();
    let (answer, mut body) = ready.send_request(request, false).unwrap();
    for _ in 0..8 {
        sleep(SHORT / 3).await;
        body.send_data(Bytes::from_static(b"part"), false).unwrap();
    }
    body.send_data(Bytes::new(), true).unwrap();
    assert_eq!(timeout(SOON, answer).await.expect("an answer").unwrap().status(), 200);
}
