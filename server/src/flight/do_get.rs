//! `DoGet` without tonic's codec: reads the request as tonic does, and answers with the buffers themselves.

use std::future::Future;
use std::marker::PhantomData;

use arrow_flight::Ticket;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use prost::Message;
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, DecodeBuf, Decoder};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status, Streaming};

use super::body::{DataBody, DataStream};
use crate::error::FlightError;

/// Where gRPC clients call it.
pub(crate) const PATH: &str = "/arrow.flight.protocol.FlightService/DoGet";

const ENCODING: &str = "grpc-encoding";
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
const ACCEPTED_ENCODINGS: &str = "deflate,gzip,identity";
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Answers a request with the messages that `read` finds for its ticket. Nothing is sent before the first message is
/// there, so that an error in its place is the whole answer.
pub(super) async fn answer<B, F>(
    request: http::Request<B>,
    max_request_bytes: usize,
    read: impl FnOnce(Request<Ticket>) -> F,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<DataStream, FlightError>>,
{
    let request = match unary(request, max_request_bytes).await {
        Ok(request) => request,
        Err(status) => return status.into_http(),
    };
    let mut messages = match read(request).await {
        Ok(messages) => messages,
        Err(error) => return Status::from(error).into_http(),
    };
    let first = match messages.next().await {
        Some(Err(error)) => return Status::from(error).into_http(),
        Some(Ok(message)) => Some(Ok(message)),
        None => None,
    };
    let messages = stream::iter(first).chain(messages).boxed();
    let mut response = Response::new(Body::new(DataBody::new(messages)));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// The one message of a request.
async fn unary<B, M>(request: http::Request<B>, max_bytes: usize) -> Result<Request<M>, Status>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    M: Message + Default + 'static,
{
    let encoding = encoding(request.headers())?;
    let (parts, body) = request.into_parts();
    let mut messages = Streaming::new_request(Protobuf(PhantomData), body, encoding, Some(max_bytes));
    let message = messages
        .message()
        .await?
        .ok_or_else(|| Status::internal("Missing request message."))?;
    let metadata = MetadataMap::from_headers(parts.headers);
    Ok(Request::from_parts(metadata, parts.extensions, message))
}

fn encoding(headers: &HeaderMap) -> Result<Option<CompressionEncoding>, Status> {
    match headers.get(ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(None),
        Some(b"gzip") => Ok(Some(CompressionEncoding::Gzip)),
        Some(b"deflate") => Ok(Some(CompressionEncoding::Deflate)),
        Some(other) => {
            let other = other.escape_ascii();
            let message = format!("Content is compressed with `{other}` which isn't supported");
            let mut status = Status::unimplemented(message);
            let accepted = MetadataValue::from_static(ACCEPTED_ENCODINGS);
            status.metadata_mut().insert(ACCEPT_ENCODING, accepted);
            Err(status)
        }
    }
}

struct Protobuf<M>(PhantomData<fn() -> M>);

impl<M: Message + Default> Decoder for Protobuf<M> {
    type Item = M;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<M>, Status> {
        M::decode(bytes)
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
