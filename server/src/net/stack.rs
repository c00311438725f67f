//! What every call passes: is it gRPC, availability, authentication, then the Flight service.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use super::names::PeerName;
use crate::auth::Authenticator;
use crate::drain::Phase;
use crate::error::FlightError;
use crate::flight::Location;
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

/// Whoever asks what there is may ask where it is, too: an operator compares it with what clients were told.
const LIST_FLIGHTS: &str = "/arrow.flight.protocol.FlightService/ListFlights";

/// The header by which that is asked, with any value, and answered. Without it the answer is the original's.
const LOCATION: &str = "x-flexconnect-location";

/// Puts what every call passes before the Flight service.
pub(crate) fn stack<S, B>(
    service: S,
    phase: watch::Receiver<Phase>,
    authenticator: Authenticator,
    metrics: Metrics,
    location: Location,
) -> impl Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    Stack {
        gate: Arc::new(Gate {
            phase,
            authenticator,
            metrics,
            location,
        }),
        service,
    }
}

/// The Flight service behind the gate. One service and one future rather than one a layer: every layer would move the
/// request, and take memory for a future of its own.
#[derive(Clone)]
struct Stack<S> {
    gate: Arc<Gate>,
    service: S,
}

impl<S, B> Service<Request<B>> for Stack<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let gate = Arc::clone(&self.gate);
        // The service that was polled ready is the one to call; its clone waits for the next call.
        let ready = self.service.clone();
        let ready = std::mem::replace(&mut self.service, ready);
        Box::pin(async move {
            let peer = request.extensions().get().map(|PeerName(name)| Arc::clone(name));
            telemetry::observe(&gate.metrics, peer, request, |request| gate.pass(request, ready)).await
        })
    }
}

/// What decides whether a call may pass.
struct Gate {
    phase: watch::Receiver<Phase>,
    authenticator: Authenticator,
    metrics: Metrics,
    location: Location,
}

impl Gate {
    /// Lets the call pass to the service, or answers it. HTTP clients are told by the status what is no call.
    async fn pass<S, B>(&self, request: Request<B>, mut service: S) -> Result<Response<Body>, Infallible>
    where
        S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    {
        let (mut call, body) = request.into_parts();
        if let Err((status, message)) = recognize(&call) {
            let mut response = answer(FlightError::InvalidArgument(message.to_owned()));
            *response.status_mut() = status;
            return Ok(response);
        }
        let asks_where = call.headers.contains_key(LOCATION) && call.uri.path() == LIST_FLIGHTS;
        match self.admit(&mut call).await {
            Ok(()) => {
                let response = name_encodings(service.call(Request::from_parts(call, body)).await?);
                Ok(if asks_where {
                    self.name_location(response)
                } else {
                    response
                })
            }
            Err(error) => Ok(answer(error)),
        }
    }

    fn name_location(&self, mut response: Response<Body>) -> Response<Body> {
        if let Ok(location) = HeaderValue::try_from((self.location)()) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    /// Refuses calls while the server starts, new ones while it ends, and those without a good token. The service is told
    /// who calls.
    async fn admit(&self, call: &mut Parts) -> Result<(), FlightError> {
        available(*self.phase.borrow(), call.uri.path())?;
        self.authenticator.admit(call).await
    }
}

fn recognize(call: &Parts) -> Result<(), (StatusCode, &'static str)> {
    if call.method != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "Calls are POST requests."));
    }
    let content_type = call.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    match content_type.and_then(|value| value.strip_prefix(b"application/grpc")) {
        // Messages are protobuf, whatever else gRPC knows.
        Some(b"" | b"+proto" | [b';', ..] | [b'+', b'p', b'r', b'o', b't', b'o', b';', ..]) => Ok(()),
        Some(_) | None => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The content type is not application/grpc, so this is no call.",
        )),
    }
}

fn available(phase: Phase, path: &str) -> Result<(), FlightError> {
    match phase {
        Phase::Starting => Err(FlightError::not_ready()),
        Phase::Serving | Phase::LameDuck => Ok(()),
        Phase::Closing if OF_CALLS_IN_PROGRESS.contains(&path) => Ok(()),
        Phase::Closing | Phase::Stopped => Err(FlightError::shutting_down()),
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

#[cfg(test)]
mod tests;
