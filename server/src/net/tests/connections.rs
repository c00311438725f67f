//! How many connections there may be, and how they begin and end.

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::harness::*;
use crate::config::ConnectionSettings;
use crate::drain::Phase;
use crate::telemetry::metrics::ConnectionEnd;

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once() {
    let port = Port::open(ConnectionSettings { max: 2, ..settings() }, None).await;
    let (mut one, two) = (Client::of(&port).await, Client::of(&port).await);
    assert!(one.call("/").await.is_ok());
    assert!(is_closed(&mut port.connect().await).await);
    port.ended(ConnectionEnd::TooMany, 1).await;
    assert!(one.call("/").await.is_ok(), "the others do not notice");
    drop(two.send);
    port.has_open(1).await;
    assert!(Client::of(&port).await.call("/").await.is_ok(), "there is room again");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let settings = ConnectionSettings {
        handshake_timeout: SHORT,
        ..settings()
    };
    let port = Port::open(settings, None).await;
    assert!(is_closed(&mut port.connect().await).await);
    port.ended(ConnectionEnd::Preface, 1).await;
}

#[tokio::test(start_paused = true)]
async fn half_open_connections_are_found() {
    let lines = Lines::new(probing());
    // It does not answer pings, as if its machine were gone.
    let mut silent = greeted(lines.connect()).await.unwrap();
    let mut alive = lines.client().await;
    assert!(is_closed(&mut silent).await);
    lines.ended(ConnectionEnd::KeepAlive, 1).await;
    assert!(alive.call("/").await.is_ok(), "clients that answer stay");
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_end_are_cut_off() {
    let lines = Lines::new(probing());
    let mut stream = greeted(lines.connect()).await.unwrap();
    // Headers without END_HEADERS: nothing but a CONTINUATION may follow, and none does.
    stream.write_all(&frame(HEADERS, 0, 1, &[0x83])).await.unwrap();
    assert!(is_closed(&mut stream).await);
}

#[tokio::test(start_paused = true)]
async fn old_connections_are_asked_to_go_and_calls_on_them_finish() {
    let lines = Lines::new(ConnectionSettings {
        max_age: Some(SHORT),
        ..settings()
    });
    let mut client = lines.client().await;
    let slow = client.start("/slow").await;
    lines.ended(ConnectionEnd::Age, 1).await;
    lines.go_on.notify_one();
    assert_eq!(timeout(SOON, slow).await.unwrap().unwrap().status(), 200);
    timeout(SOON, client.ended)
        .await
        .expect("the connection ends")
        .unwrap()
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_outlast_the_grace_of_an_old_connection_are_cut() {
    let lines = Lines::new(ConnectionSettings {
        max_age: Some(SHORT),
        max_age_grace: Some(SHORT),
        ..settings()
    });
    let mut client = lines.client().await;
    let slow = client.start("/slow").await;
    assert!(timeout(SOON, slow).await.expect("an end").is_err());
}

#[tokio::test]
async fn a_lame_duck_asks_everybody_to_go_and_still_serves() {
    let port = Port::open(settings(), None).await;
    let mut client = Client::of(&port).await;
    client.call("/").await.unwrap();
    let slow = client.start("/slow").await;
    port.phase.send_replace(Phase::LameDuck);
    port.ended(ConnectionEnd::Shutdown, 1).await;
    assert!(
        Client::of(&port).await.call("/").await.is_ok(),
        "late clients are served"
    );
    port.go_on.notify_one();
    assert!(timeout(SOON, slow).await.unwrap().is_ok());
    timeout(SOON, client.ended)
        .await
        .expect("the connection ends")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn an_idle_client_gets_goaway_at_the_lame_duck() {
    let port = Port::open(settings(), None).await;
    let mut stream = greeted(port.connect().await).await.unwrap();
    read_frame(&mut stream).await.unwrap();
    port.phase.send_replace(Phase::LameDuck);
    loop {
        let (kind, _, payload) = read_frame(&mut stream).await.unwrap();
        if kind == GOAWAY {
            // NO_ERROR
            assert_eq!(payload[4..8], [0; 4]);
            break;
        }
    }
}
