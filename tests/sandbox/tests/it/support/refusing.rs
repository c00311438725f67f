//! A server that turns the first call away unseen, as one does that is about to end its connections.

use arrow::datatypes::Schema;
use arrow_flight::{FlightEndpoint, FlightInfo, Ticket};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::{Connection, SendResponse};
use h2::{Reason, server};
use http::{HeaderMap, HeaderValue, Response};
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How the first call is turned away.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// `RST_STREAM` with `REFUSED_STREAM`.
    Stream,
    /// `GOAWAY` with no stream processed, then the connection ends.
    GoAway,
}

/// Answers every call after the first with a `FlightInfo` that points elsewhere.
pub(crate) struct Refusing {
    url: String,
    task: JoinHandle<()>,
}

impl Refusing {
    pub(crate) async fn start(refusal: Refusal, location: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let answer = answer(location);
        let task = tokio::spawn(async move {
            let mut connection = accept(&listener).await;
            match refusal {
                Refusal::Stream => {
                    let (_, mut call) = connection.accept().await.unwrap().unwrap();
                    call.send_reset(Reason::REFUSED_STREAM);
                }
                Refusal::GoAway => {
                    // The call is on its way, but no stream of it is ever taken up.
                    connection.abrupt_shutdown(Reason::NO_ERROR);
                    while connection.accept().await.is_some() {}
                    connection = accept(&listener).await;
                }
            }
            while let Some(Ok((_, call))) = connection.accept().await {
                respond(call, answer.clone());
            }
        });
        Self { url, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: &TcpListener) -> Connection<TcpStream, Bytes> {
    let (stream, _) = listener.accept().await.unwrap();
    server::handshake(stream).await.unwrap()
}

fn respond(mut call: SendResponse<Bytes>, answer: Bytes) {
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let mut body = call.send_response(head, false).unwrap();
    body.send_data(answer, false).unwrap();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    body.send_trailers(trailers).unwrap();
}

/// A gRPC message: a flag for compression, the length, the bytes.
fn answer(location: &str) -> Bytes {
    let endpoint = FlightEndpoint::new()
        .with_ticket(Ticket::new("ticket"))
        .with_location(location);
    let info = FlightInfo::new()
        .try_with_schema(&Schema::empty())
        .unwrap()
        .with_endpoint(endpoint)
        .encode_to_vec();
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(info.len().try_into().unwrap());
    message.put_slice(&info);
    message.freeze()
}
