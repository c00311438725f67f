//! Relays calls to the worker that has a service's own Flight methods: gRPC frames go both ways as they are, and nothing in
//! them is decoded.
//!
//! ```text
//! client ─► gate (token, limits, metrics) ─► relay ─► Unix socket ─► pyarrow's Flight server ─► the module's methods
//! ```
//!
//! Back-pressure, cancellation and deadlines are HTTP/2's own. Whoever reads slowly fills the window of one stream, and
//! nobody else's.

mod answer;
mod connections;
mod passing;
mod upload;

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use tonic::Status;
use tonic::body::Body;

use super::lock;
use super::shared::{NO_WORKER, NOBODY, Order, Shared};
use crate::error::{self, ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::flight::ServerContext;
use answer::Answer;
use connections::{Connections, Unsent};
use upload::Upload;

/// How often a call is sent that no worker has seen.
const ATTEMPTS: usize = 3;

/// Answers calls with the methods of a module.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    connections: Connections,
    server: ServerContext,
    max_request_bytes: usize,
}

/// That a call is in a worker, until it is dropped: the worker is not ended before.
struct InWorker {
    shared: Arc<Shared>,
    worker: u64,
}

/// Why a request was not sent to its end, once that is known.
type Refusal = Arc<OnceLock<FlightError>>;

impl Relay {
    pub(super) fn new(shared: Arc<Shared>, socket: &Path, server: ServerContext, max_request_bytes: usize) -> Self {
        Self {
            shared,
            connections: Connections::new(socket.with_file_name(connections::NAME)),
            server,
            max_request_bytes,
        }
    }

    /// The answer to a call.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let answered = self.relayed(request).await;
        answered.unwrap_or_else(|error| Status::from(error).into_http())
    }

    async fn relayed<B>(&self, request: Request<B>) -> Result<Response<Body>, FlightError>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        // The others fetch and cancel what was begun before.
        if self.server.tasks().is_closed() && method == "GetFlightInfo" {
            return Err(FlightError::shutting_down());
        }
        if passing::is_work(method) {
            self.server.tasks().note_call();
        }
        let in_progress = self.server.calls().begin();
        let refusal = Refusal::default();
        let (parts, body) = request.into_parts();
        let body = Body::new(Upload::new(body, self.max_request_bytes, Arc::clone(&refusal)));
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = passing::uri(&parts.uri);
        *request.headers_mut() = passing::headers(&parts);

        let mut attempt = 1;
        let (sent, in_worker) = loop {
            let in_worker = self.worker().await?;
            passing::show_key(request.headers_mut(), &self.key(in_worker.worker));
            match self.connections.send(in_worker.worker, request).await {
                Ok(answer) => break (answer, in_worker),
                // The worker ended before it saw the call.
                Err(Unsent(unsent)) if attempt < ATTEMPTS => {
                    request = unsent;
                    attempt += 1;
                    self.gone(in_worker.worker).await;
                }
                Err(Unsent(_)) => return Err(unavailable()),
            }
        };
        let answer = match sent.await {
            Ok(answer) => answer,
            Err(error) => return Err(broken_off(&self.shared, in_worker.worker, &refusal, &error).await),
        };
        Ok(self.passed_on(answer, Answer::follow(in_worker, in_progress, refusal)))
    }

    /// The answer as the client is told it. An error before the first message is its own end.
    fn passed_on(&self, answer: Response<Incoming>, follow: answer::Following) -> Response<Body> {
        let (mut parts, body) = answer.into_parts();
        let tracebacks = self.shared.tracebacks;
        if parts.headers.contains_key("grpc-status") {
            parts.headers = error::tidy(parts.headers, tracebacks);
            return Response::from_parts(parts, Body::empty());
        }
        Response::from_parts(parts, Body::new(Answer::new(body, follow, tracebacks)))
    }

    /// Waits for the worker.
    async fn worker(&self) -> Result<InWorker, FlightError> {
        let until = Instant::now() + NO_WORKER;
        let mut up = self.shared.up.subscribe();
        loop {
            if timeout_at(until, up.wait_for(|up| *up)).await.is_err() {
                return Err(unavailable());
            }
            if let Some(in_worker) = self.enter() {
                return Ok(in_worker);
            }
            // It has just gone, and the news of that is on its way.
            tokio::task::yield_now().await;
        }
    }

    fn enter(&self) -> Option<InWorker> {
        let mut floor = lock(&self.shared.floor);
        let worker = floor.open_worker()?;
        floor.stream_opened(worker);
        let shared = Arc::clone(&self.shared);
        Some(InWorker { shared, worker })
    }

    fn key(&self, worker: u64) -> String {
        lock(&self.shared.keys).get(&worker).cloned().unwrap_or_default()
    }

    /// Waits until it is known that a worker is gone, so that it is not tried again.
    async fn gone(&self, worker: u64) {
        let _ = self.shared.endings.of(worker).await;
    }
}

impl Drop for InWorker {
    fn drop(&mut self) {
        if lock(&self.shared.floor).stream_closed(self.worker) {
            self.shared.order(Order::Idle { worker: self.worker });
        }
    }
}

fn unavailable() -> FlightError {
    FlightError::new(FlightKind::Unavailable, ErrorInfo::new(ErrorCode::NOT_READY, NOBODY))
}

/// Why a call was broken off: the request was refused, or the worker is gone, or else its connection failed.
async fn broken_off(
    shared: &Shared,
    worker: u64,
    refusal: &Refusal,
    error: &(dyn Error + Send + Sync + 'static),
) -> FlightError {
    if let Some(error) = refusal.get() {
        return error.clone();
    }
    let ending = shared.endings.of(worker).await.text();
    let why = if lock(&shared.floor).open_worker() == Some(worker) {
        let reason = crate::telemetry::chain(error);
        tracing::warn!(worker, reason, "python_connection_failed");
        "the connection to the worker process failed".to_owned()
    } else {
        ending
    };
    // What was done before is not known, so nobody is asked to try again.
    let info = ErrorInfo::new(ErrorCode::COMMAND_FAILED, format!("The call was broken off: {why}."));
    FlightError::new(FlightKind::Internal, info)
}
