//! Who answers a call: `DoGet` is answered without a copy of the data, everything else by tonic.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_flight::flight_service_server::FlightServiceServer;
use bytes::Bytes;
use http::{Request, Response};
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tower::Service;

use super::{FlexConnectService, do_get};

/// The largest request that is read. Clients may send large commands; this only keeps a broken one from filling memory.
const MAX_REQUEST_BYTES: usize = 128 * 1024 * 1024;

/// The RPC methods as an HTTP service.
#[derive(Clone)]
pub struct FlightServer {
    service: Arc<FlexConnectService>,
    tonic: FlightServiceServer<FlexConnectService>,
}

impl FlightServer {
    /// Large messages both ways, compressed requests accepted, answers never compressed.
    #[must_use]
    pub fn new(service: FlexConnectService) -> Self {
        let service = Arc::new(service);
        let tonic = FlightServiceServer::from_arc(Arc::clone(&service))
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(usize::MAX)
            .accept_compressed(CompressionEncoding::Deflate)
            .accept_compressed(CompressionEncoding::Gzip);
        Self { service, tonic }
    }
}

impl<B> Service<Request<B>> for FlightServer
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() != do_get::PATH {
            return self.tonic.call(request);
        }
        let service = Arc::clone(&self.service);
        Box::pin(async move {
            let read =
                async |request: tonic::Request<arrow_flight::Ticket>| service.read(&request.into_inner().ticket).await;
            Ok(do_get::answer(request, MAX_REQUEST_BYTES, read).await)
        })
    }
}
