//! Calls of Flight's methods: one request message, an answer read as it comes.

use std::future::poll_fn;

use arrow_flight::FlightInfo;
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::RecvStream;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::uri::{self, Authority, PathAndQuery, Scheme, Uri};
use http::{HeaderValue, Request, StatusCode};
use prost::Message;

use super::connect::Connection;
use super::failure::{CallError, status};
use super::frames::{Frames, Totals};

/// The methods that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    GetFlightInfo,
    DoGet,
}

impl Method {
    /// Its address on a connection of this scheme.
    pub(super) fn address(self, scheme: Scheme) -> Uri {
        let path = match self {
            Self::GetFlightInfo => "/arrow.flight.protocol.FlightService/GetFlightInfo",
            Self::DoGet => "/arrow.flight.protocol.FlightService/DoGet",
        };
        let mut parts = uri::Parts::default();
        parts.scheme = Some(scheme);
        parts.authority = Some(Authority::from_static("localhost"));
        parts.path_and_query = Some(PathAndQuery::from_static(path));
        Uri::from_parts(parts).expect("the parts are complete")
    }
}

/// A message as gRPC sends it.
pub(crate) fn request(message: &impl Message) -> Bytes {
    framed(&message.encode_to_vec())
}

/// An encoded message as gRPC sends it.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(5 + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// What arrived of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) bytes: u64,
    /// Messages that became whole.
    pub(crate) messages: u64,
}

/// Calls a method that answers with one message.
pub(crate) async fn unary(connection: &Connection, method: Method, message: Bytes) -> Result<Bytes, CallError> {
    let mut body = start(connection, method, message).await?;
    let mut answer = BytesMut::new();
    while let Some(chunk) = data(&mut body).await? {
        answer.extend_from_slice(&chunk);
    }
    end(&mut body).await?;
    if answer.len() < 5 {
        return Err(CallError::Answer("it has no message".to_owned()));
    }
    Ok(answer.split_off(5).freeze())
}

/// Calls DoGet; `arrived` sees what comes, as it comes.
pub(crate) async fn read(
    connection: &Connection,
    ticket: Bytes,
    mut arrived: impl FnMut(Chunk),
) -> Result<Totals, CallError> {
    let mut body = start(connection, Method::DoGet, ticket).await?;
    let (mut frames, mut whole) = (Frames::default(), 0);
    while let Some(chunk) = data(&mut body).await? {
        let now_whole = frames.push(&chunk)?;
        arrived(Chunk {
            bytes: chunk.len() as u64,
            messages: now_whole - whole,
        });
        whole = now_whole;
    }
    end(&mut body).await?;
    Ok(frames.finish()?)
}

/// The request that reads the result of a flight.
pub(crate) fn ticket_of(info: Bytes) -> Result<Bytes, CallError> {
    let wrong = |what: &str| CallError::Answer(what.to_owned());
    let info = FlightInfo::decode(info).map_err(|_| wrong("it is not a FlightInfo"))?;
    let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket);
    Ok(request(&ticket.ok_or_else(|| wrong("it has no ticket"))?))
}

pub(super) async fn start(connection: &Connection, method: Method, message: Bytes) -> Result<RecvStream, CallError> {
    let mut request = Request::new(());
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = connection.addresses[method as usize].clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(AUTHORIZATION, connection.authorization.clone());
    if connection.polls {
        headers.insert("x-quiver-pollable", HeaderValue::from_static("true"));
    }
    let mut sender = connection.sender.clone().ready().await?;
    let (response, mut body) = sender.send_request(request, false)?;
    body.send_data(message, true)?;
    let response = response.await?;
    if response.status() != StatusCode::OK {
        return Err(CallError::Http(response.status()));
    }
    match status(response.headers()) {
        Some(status) if status.number != 0 => Err(CallError::Status(status)),
        Some(_) | None => Ok(response.into_body()),
    }
}

async fn data(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(chunk) = poll_fn(|context| body.poll_data(context)).await.transpose()? else {
        return Ok(None);
    };
    body.flow_control().release_capacity(chunk.len())?;
    Ok(Some(chunk))
}

pub(super) async fn end(body: &mut RecvStream) -> Result<(), CallError> {
    match body.trailers().await?.as_ref().and_then(status) {
        Some(status) if status.number == 0 => Ok(()),
        Some(status) => Err(CallError::Status(status)),
        None => Err(CallError::NoStatus),
    }
}
