//! The one chain of layers that every call passes: is it gRPC, availability, authentication, then the Flight service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service, ServiceBuilder};

use super::names::PeerName;
use crate::auth::Authenticator;
use crate::drain::Phase;
use crate::error::FlightError;
use crate::telemetry::{self, Metrics};

/// Compressions that requests may use, named in successful answers.
const ACCEPTED_ENCODINGS: HeaderValue = HeaderValue::from_static("identity, deflate, gzip");

/// Methods by which clients fetch and cancel what they began. The service itself refuses new calls after the tasks are
/// closed; only it can tell a new call from polling for an old one.
const OF_CALLS_IN_PROGRESS: [&str; 4] = [
    "/arrow.flight.protocol.FlightService/GetFlightInfo",
    "/arrow.flight.protocol.FlightService/DoGet",
    "/arrow.flight.protocol.FlightService/PollFlightInfo",
    "/arrow.flight.protocol.FlightService/DoAction",
];

/// Puts the layers around the Flight service. The outermost comes first.
pub(crate) fn stack<S, B>(
    service: S,
    phase: watch::Receiver<Phase>,
    authenticator: Authenticator,
    metrics: Metrics,
) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    ServiceBuilder::new()
        .layer(Around(Watched(metrics)))
        .map_response(name_encodings)
        .layer(Around(Grpc))
        .layer(Around(Available(phase)))
        .layer(Around(Authenticated(authenticator)))
        .service(service)
}

/// Something that a call passes before the service sees it.
trait Pass<B>: Clone + Send + 'static {
    /// Lets the call pass to `inner`, or answers it.
    fn pass<S>(self, request: Request<B>, inner: S) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Send + 'static;
}

/// Counts the call, and gives it a span with the caller's address.
#[derive(Clone)]
struct Watched(Metrics);

impl<B: Send + 'static> Pass<B> for Watched {
    async fn pass<S>(self, request: Request<B>, mut inner: S) -> Result<Response<Body>, Infallible>
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Send + 'static,
    {
        let peer = request.extensions().get().map(|PeerName(name)| Arc::clone(name));
        telemetry::observe(&self.0, peer, request, move |request| inner.call(request)).await
    }
}

/// Refuses what is no call: the answer says so to HTTP clients as well as to those of gRPC.
#[derive(Clone)]
struct Grpc;

impl<B: Send + 'static> Pass<B> for Grpc {
    async fn pass<S>(self, request: Request<B>, mut inner: S) -> Result<Response<Body>, Infallible>
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Send + 'static,
    {
        match recognize(&request) {
            Ok(()) => inner.call(request).await,
            Err((status, message)) => {
                let mut response = answer(FlightError::InvalidArgument(message.to_owned()));
                *response.status_mut() = status;
                Ok(response)
            }
        }
    }
}

fn recognize<B>(request: &Request<B>) -> Result<(), (StatusCode, &'static str)> {
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "Calls are POST requests."));
    }
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    match content_type.and_then(|value| value.strip_prefix(b"application/grpc")) {
        // Messages are protobuf, whatever else gRPC knows.
        Some(b"" | b"+proto" | [b';', ..] | [b'+', b'p', b'r', b'o', b't', b'o', b';', ..]) => Ok(()),
        Some(_) | None => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The content type is not application/grpc, so this is no call.",
        )),
    }
}

/// Refuses calls while the server starts, and new ones while it ends.
#[derive(Clone)]
struct Available(watch::Receiver<Phase>);

impl<B: Send + 'static> Pass<B> for Available {
    async fn pass<S>(self, request: Request<B>, mut inner: S) -> Result<Response<Body>, Infallible>
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Send + 'static,
    {
        let phase = *self.0.borrow();
        match admit(phase, request.uri().path()) {
            Ok(()) => inner.call(request).await,
            Err(error) => Ok(answer(error)),
        }
    }
}

fn admit(phase: Phase, path: &str) -> Result<(), FlightError> {
    match phase {
        Phase::Starting => Err(FlightError::not_ready()),
        Phase::Serving | Phase::LameDuck => Ok(()),
        Phase::Closing if OF_CALLS_IN_PROGRESS.contains(&path) => Ok(()),
        Phase::Closing | Phase::Stopped => Err(FlightError::shutting_down()),
    }
}

/// Refuses calls without a good token, and tells the service who calls.
#[derive(Clone)]
struct Authenticated(Authenticator);

impl<B: Send + 'static> Pass<B> for Authenticated {
    async fn pass<S>(self, request: Request<B>, mut inner: S) -> Result<Response<Body>, Infallible>
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Send + 'static,
    {
        let (mut call, body) = request.into_parts();
        match self.0.admit(&mut call).await {
            Ok(()) => inner.call(Request::from_parts(call, body)).await,
            Err(error) => Ok(answer(error)),
        }
    }
}

fn answer(error: FlightError) -> Response<Body> {
    Status::from(error).into_http()
}

/// gRPC servers tell what compressions they read. Errors before the first message carry nothing but themselves.
fn name_encodings(mut response: Response<Body>) -> Response<Body> {
    if !response.headers().contains_key("grpc-status") {
        response
            .headers_mut()
            .entry("grpc-accept-encoding")
            .or_insert(ACCEPTED_ENCODINGS);
    }
    response
}

/// Makes a layer of something to pass.
#[derive(Clone)]
struct Around<P>(P);

impl<P: Clone, S> Layer<S> for Around<P> {
    type Service = Passing<P, S>;

    fn layer(&self, inner: S) -> Passing<P, S> {
        Passing {
            pass: self.0.clone(),
            inner,
        }
    }
}

#[derive(Clone)]
struct Passing<P, S> {
    pass: P,
    inner: S,
}

impl<P, S, B> Service<Request<B>> for Passing<P, S>
where
    P: Pass<B>,
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next call.
        let ready = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, ready);
        Box::pin(self.pass.clone().pass(request, ready))
    }
}

#[cfg(test)]
mod tests;
