//! Who answers a call: `DoGet` is answered without a copy of the data, everything else by tonic; or another process.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use arrow_flight::flight_service_server::FlightServiceServer;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tower::Service;

use super::received::Received;
use super::{Dispatcher, Fork, do_get, reflection, unreadable};
use crate::memory::Budget;

/// How the paths of all methods of Flight begin.
const FLIGHT: &str = "/arrow.flight.protocol.FlightService/";

/// What only known callers reach: Flight, and reflection when it is asked for. Requests take from the budget while they
/// come.
pub(crate) fn service<B>(
    dispatcher: Dispatcher,
    max_request_bytes: usize,
    budget: Budget,
    reflection: bool,
) -> Result<
    impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    reflection::Error,
>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    Ok(Fork {
        prefix: reflection::PREFIX,
        matching: reflection.then(reflection::services).transpose()?,
        others: FlightServer::new(dispatcher, max_request_bytes, budget),
    })
}

/// The RPC methods as an HTTP service.
#[derive(Clone)]
struct FlightServer {
    dispatcher: Dispatcher,
    tonic: FlightServiceServer<Dispatcher>,
    max_request_bytes: usize,
    budget: Budget,
}

impl FlightServer {
    /// Large answers, requests up to a limit and perhaps compressed, answers never compressed.
    fn new(dispatcher: Dispatcher, max_request_bytes: usize, budget: Budget) -> Self {
        let tonic = FlightServiceServer::new(dispatcher.clone())
            .max_decoding_message_size(max_request_bytes)
            .max_encoding_message_size(usize::MAX)
            .accept_compressed(CompressionEncoding::Deflate)
            .accept_compressed(CompressionEncoding::Gzip);
        Self {
            dispatcher,
            tonic,
            max_request_bytes,
            budget,
        }
    }
}

impl<B> Service<Request<B>> for FlightServer
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(relay) = self
            .dispatcher
            .relay()
            .filter(|_| request.uri().path().starts_with(FLIGHT))
        {
            return Box::pin(async move { Ok(relay.answer(request).await) });
        }
        let request = request.map(|body| Received::new(body, &self.budget));
        if request.uri().path() != do_get::PATH {
            let answered = self.tonic.call(request);
            return Box::pin(answered.map(|response| response.map(unreadable::describe)));
        }
        let Self {
            dispatcher,
            max_request_bytes,
            ..
        } = self.clone();
        Box::pin(async move {
            let read = async |request| dispatcher.data(request).await;
            Ok(unreadable::describe(
                do_get::answer(request, max_request_bytes, read).await,
            ))
        })
    }
}
