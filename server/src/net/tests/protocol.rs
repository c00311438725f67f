//! Clients that keep the rules of HTTP/2 only just, or not.

use http::Request;
use tokio::io::{AsyncRead, AsyncWriteExt as _};

use super::harness::*;
use crate::config::ConnectionSettings;
use crate::telemetry::metrics::ConnectionEnd;

const ACK: u8 = 1;
const END_STREAM_AND_HEADERS: u8 = 5;
const ENHANCE_YOUR_CALM: [u8; 4] = 11_u32.to_be_bytes();
const REFUSED_STREAM: [u8; 4] = 7_u32.to_be_bytes();
const MAX_CONCURRENT_STREAMS_IS_TWO: [u8; 6] = [0, 3, 0, 0, 0, 2];

#[tokio::test]
async fn pings_are_answered_however_many() {
    let port = Port::open(settings(), None).await;
    let mut stream = greeted(port.connect().await).await.unwrap();
    for ping in 0..2_000_u64 {
        stream.write_all(&frame(PING, 0, 0, &ping.to_be_bytes())).await.unwrap();
    }
    let mut answered = 0;
    while answered < 2_000 {
        let (kind, flags, _) = read_frame(&mut stream).await.unwrap();
        assert_ne!(kind, GOAWAY, "clients are not punished for pings");
        answered += usize::from(kind == PING && flags & ACK != 0);
    }
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_no_other() {
    let port = Port::open(settings(), None).await;
    let mut other = Client::of(&port).await;
    let mut stream = greeted(port.connect().await).await.unwrap();
    // :method POST, :scheme http, :path /, and no authority, from the static table.
    let mut flood = Vec::new();
    for stream in (1..20_000).step_by(2) {
        flood.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x83, 0x86, 0x84]));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    // The server may close before all of it is written.
    let _ = stream.write_all(&flood).await;
    let mut last = None;
    while let Ok((kind, _, payload)) = read_frame(&mut stream).await {
        if kind == GOAWAY {
            last = Some(payload);
        }
    }
    if let Some(payload) = last {
        assert_eq!(payload[4..8], ENHANCE_YOUR_CALM);
    }
    port.ended(ConnectionEnd::Protocol, 1).await;
    assert!(other.call("/").await.is_ok());
}

#[tokio::test]
async fn oversized_headers_are_refused_and_the_connection_lives() {
    let settings = ConnectionSettings {
        max_header_bytes: 8 * 1024,
        ..settings()
    };
    let port = Port::open(settings, None).await;
    let mut client = Client::of(&port).await;
    let request = |bytes: usize| {
        Request::post("http://localhost/")
            .header("x-large", "v".repeat(bytes))
            .body(())
            .unwrap()
    };
    assert_eq!(client.send(request(7 * 1024)).await.await.unwrap().status(), 200);
    assert_eq!(client.send(request(9 * 1024)).await.await.unwrap().status(), 431);
    assert_eq!(client.call("/").await.unwrap(), 200);
    // Far more than that is not even kept.
    let flooded = client.send(request(4 * 1024 * 1024)).await.await;
    assert!(flooded.is_err() || flooded.unwrap().status() == 431);
    assert!(Client::of(&port).await.call("/").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_limit_are_refused_and_others_go_on() {
    let lines = Lines::new(ConnectionSettings {
        max_concurrent_streams: 2,
        ..settings()
    });
    let mut stream = greeted(lines.connect()).await.unwrap();
    let (kind, _, announced) = read_frame(&mut stream).await.unwrap();
    assert_eq!(kind, SETTINGS);
    assert!(
        announced
            .chunks(6)
            .any(|setting| setting == MAX_CONCURRENT_STREAMS_IS_TWO)
    );
    // A client that does not keep to it: three calls of /slow.
    let slow = [&[0x83, 0x86, 0x04, 5][..], b"/slow"].concat();
    for id in [1, 3, 5] {
        let call = frame(HEADERS, END_STREAM_AND_HEADERS, id, &slow);
        stream.write_all(&call).await.unwrap();
    }
    assert_eq!(next(&mut stream, RST_STREAM).await, REFUSED_STREAM);
    for _ in 0..2 {
        lines.go_on.notify_one();
        next(&mut stream, HEADERS).await;
    }
}

/// The payload of the next frame of this kind.
async fn next(stream: &mut (impl AsyncRead + Unpin), wanted: u8) -> Vec<u8> {
    loop {
        let (kind, _, payload) = read_frame(stream).await.unwrap();
        if kind == wanted {
            return payload;
        }
    }
}
