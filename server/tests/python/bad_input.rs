//! Requests that nobody of good will sends, to a server whose functions run in Python: each is told what was wrong with it,
//! in few words and none about the server's inside, and the next call is answered.

use std::fmt::Write as _;

use arrow_flight::flight_service_client::FlightServiceClient;
use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::harness::{SOON, call, connect, read, rows};
use super::started::Started;

/// What trailers may take together, as HTTP/2 counts them.
const TRAILERS: usize = 5 * 1024;

/// Words that are about the inside of the server, of the worker, or of the machine.
const INSIDE: [&str; 12] = [
    "Traceback",
    "File \"",
    ".rs",
    ".py",
    "::",
    "r#",
    "panicked",
    "site-packages",
    "/tmp",
    "/usr",
    "/root",
    "/home",
];

/// A connection below gRPC.
struct Wire(SendRequest<Bytes>);

impl Wire {
    async fn open(server: &Started) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    /// The headers of an answer, and what follows its messages.
    async fn ask(&mut self, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> HeaderMap {
        let uri = format!("http://localhost/arrow.flight.protocol.FlightService/{method}");
        let mut request = Request::post(uri)
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = self.0.clone().ready().await.unwrap();
        let (answer, mut sending) = send.send_request(request.body(()).unwrap(), false).unwrap();
        // The server may have answered already.
        let _ = sending.send_data(body.into(), true);
        let answered = async {
            let (head, mut body) = answer.await.unwrap().into_parts();
            while let Some(piece) = body.data().await {
                body.flow_control().release_capacity(piece.unwrap().len()).unwrap();
            }
            let mut all = head.headers;
            all.extend(
                body.trailers()
                    .await
                    .unwrap()
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, value)| Some((name?, value))),
            );
            all.insert("http-status", head.status.as_u16().into());
            all
        };
        timeout(SOON, answered).await.unwrap()
    }
}

/// The code of an error, which is described as every error is.
fn described(about: &str, answer: &HeaderMap) -> i64 {
    let size: usize = answer
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 32)
        .sum();
    assert!(size <= TRAILERS, "{about}: {size} bytes of trailers");
    let details = answer
        .get("grpc-status-details-bin")
        .unwrap_or_else(|| panic!("{about}: no ErrorInfo: {answer:?}"));
    let details = BASE64_STANDARD_NO_PAD.decode(details).unwrap();
    let info: Value = serde_json::from_slice(&details).unwrap_or_else(|error| panic!("{about}: {error}"));
    for word in INSIDE {
        assert!(!info.to_string().contains(word), "{about}: {word}: {info}");
    }
    assert!(
        info["msg"].as_str().is_some_and(|text| !text.is_empty()),
        "{about}: {info}"
    );
    info["code"].as_i64().unwrap()
}

/// A field of protobuf that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap());
    bytes.extend(content);
    bytes
}

/// A message as it travels.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// A descriptor with a command.
fn commanding(command: impl AsRef<[u8]>) -> Vec<u8> {
    framed(&[&[0x08, 2], &field(2, command.as_ref())[..]].concat())
}

/// A call of a function that goes wrong.
fn going_wrong(how: &str) -> Vec<u8> {
    commanding(json!({"functionName": "GoesWrong", "parameters": {"how": how}}).to_string())
}

/// The rows of a call that is as it should be.
async fn serves(client: &mut FlightServiceClient<Channel>) -> usize {
    let info = call(client, "Tiny").await.unwrap();
    rows(&read(client, &info).await.unwrap())
}

/// An object in an object, so many times.
fn deep(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_told_without_the_inside() {
    let server = Started::new("[python]\nworkers = 1\n");
    let mut wire = Wire::open(&server).await;
    let garbage = || vec![0xff; 20];
    for method in [
        "GetFlightInfo",
        "PollFlightInfo",
        "GetSchema",
        "DoGet",
        "ListFlights",
        "DoAction",
        "ListActions",
    ] {
        for (what, body) in [
            ("no protobuf", framed(&garbage())),
            ("groups in groups", framed(&[0x0b; 5_000])),
            ("a length without bytes", vec![0, 0, 0, 1, 0, 7]),
            ("a length beyond everything", vec![0, 0xff, 0xff, 0xff, 0xff]),
            ("compressed by nobody", [&[1, 0, 0, 0, 20], &garbage()[..]].concat()),
        ] {
            let about = format!("{method}, {what}");
            assert_eq!(described(&about, &wire.ask(method, &[], body).await), 1, "{about}");
        }
    }

    let mut wrong: Vec<_> = [
        "{",
        "[]",
        "\u{0}",
        "{}",
        r#"{"functionName":1}"#,
        r#"{"functionName":"Tiny","parameters":[1]}"#,
        r#"{"functionName":"Tiny","parameters":{"a":NaN}}"#,
        r#"{"functionName":"Tiny","parameters":{"a":1e999}}"#,
        r#"{"functionName":"Tiny","parameters":{"a":"\ud800"}}"#,
        r#"{"functionName":"../../etc/passwd"}"#,
        r#"{"functionName":"GoesWrong\u0000\r\n"}"#,
    ]
    .map(|command| command.as_bytes().to_vec())
    .into();
    wrong.push(b"[".repeat(1_000_000));
    wrong.push(format!(r#"{{"functionName":"Tiny","parameters":{}}}"#, deep(50_000)).into());
    wrong.push(json!({"functionName": "x".repeat(1_000_000)}).to_string().into());
    wrong.push(vec![0xff, 0xfe]);
    for command in wrong {
        let about = format!("the command {}", command[..command.len().min(60)].escape_ascii());
        assert_eq!(
            described(&about, &wire.ask("GetFlightInfo", &[], commanding(&command)).await),
            1,
            "{about}"
        );
        let polling = wire
            .ask("GetFlightInfo", &[("x-quiver-pollable", "true")], commanding(&command))
            .await;
        assert_eq!(described(&about, &polling), 1, "{about}, polled");
    }

    let mut client = connect(server.address).await;
    let good = call(&mut client, "Tiny").await.unwrap();
    let good = good.endpoint[0].ticket.clone().unwrap().ticket;
    let mut tickets = vec![
        vec![],
        garbage(),
        good[1..].to_vec(),
        good.repeat(2),
        b"a".repeat(1_000_000),
    ];
    tickets.push(json!({"task_id": "0".repeat(32)}).to_string().into());
    tickets.push(json!({"task_id": 1}).to_string().into());
    for ticket in tickets {
        // A result that is gone, or never was, has a code of its own.
        let expected = if ticket.ends_with(b"00\"}") { 4 } else { 1 };
        let about = format!("the ticket {}", ticket[..ticket.len().min(60)].escape_ascii());
        assert_eq!(
            described(&about, &wire.ask("DoGet", &[], framed(&field(1, &ticket))).await),
            expected,
            "{about}"
        );
    }
    for action in ["CancelFlightInfo", "RenewFlightEndpoint"] {
        let body = [field(1, action.as_bytes()), field(2, &garbage())].concat();
        assert_eq!(described(action, &wire.ask("DoAction", &[], framed(&body)).await), 1);
    }

    let many: Vec<_> = (0..600).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "value")).collect();
    let answer = wire.ask("GetFlightInfo", &many, commanding("{}")).await;
    assert_eq!(answer["http-status"], "431", "headers that are too many are not read");
    // Nothing of that was the worker's business.
    assert_eq!(serves(&mut client).await, 3);
    assert!(server.events("python_worker_ended").is_empty());
}

/// What functions raise and return is their users' to see, their code is not.
#[tokio::test(flavor = "multi_thread")]
async fn functions_that_go_wrong_tell_what_they_raised_and_no_more() {
    let server = Started::new("[python]\nworkers = 1\n");
    let mut wire = Wire::open(&server).await;
    for (how, code) in [
        ("large", 1),
        ("odd", 5),
        ("unprintable", 5),
        ("endless", 5),
        ("nothing", 1),
        ("text", 1),
        ("exit", 5),
        ("caused", 5),
    ] {
        let answer = wire.ask("GetFlightInfo", &[], going_wrong(how)).await;
        assert_eq!(described(how, &answer), code, "{how}");
    }
    let mut client = connect(server.address).await;
    assert_eq!(serves(&mut client).await, 3);
    assert!(server.events("python_worker_ended").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_may_be_large_and_deep() {
    let server = Started::new("[python]\nworkers = 1\n");
    let mut wire = Wire::open(&server).await;
    let mut large = String::with_capacity(8_000_100);
    write!(
        large,
        r#"{{"functionName":"Tiny","parameters":{{"large":"{}"}}}}"#,
        "a".repeat(8_000_000)
    )
    .unwrap();
    let deep = format!(r#"{{"functionName":"Tiny","parameters":{}}}"#, deep(100));
    for command in [large, deep] {
        let answer = wire.ask("GetFlightInfo", &[], commanding(command)).await;
        assert_eq!(answer["grpc-status"], "0", "{answer:?}");
    }
}
