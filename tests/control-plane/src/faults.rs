//! An API server that fails where a test wants it to: at one call of a pass, in one way after the other.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use http_body_util::{Either, Full};
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, Layer, Service};

/// A way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The API server refuses with this status, and does nothing.
    Status(u16),
    /// The request does not arrive.
    Unsent,
    /// The request is carried out, and its answer is lost.
    Unanswered,
}

impl Failure {
    /// Every way.
    pub const ALL: [Self; 7] = [
        Self::Status(409),
        Self::Status(410),
        Self::Status(422),
        Self::Status(429),
        Self::Status(500),
        Self::Unsent,
        Self::Unanswered,
    ];
}

/// What goes wrong between an operator and its API server. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Plan>>);

#[derive(Debug, Default)]
struct Plan {
    /// Which call of a pass fails, counted from 0.
    at: usize,
    /// In each pass the next one.
    failures: VecDeque<Failure>,
    /// The calls of this pass so far.
    calls: usize,
    failed: usize,
}

impl Faults {
    /// From now on, this call of each pass fails, in each pass in another way, until all ways were tried.
    pub fn arm(&self, at: usize) {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *plan = Plan {
            at,
            failures: Failure::ALL.into(),
            ..Plan::default()
        };
    }

    /// Whether some way was not tried yet.
    #[must_use]
    pub fn are_planned(&self) -> bool {
        !self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failures
            .is_empty()
    }

    /// How many calls have failed since.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failed
    }

    /// A pass begins by reading its object, and whatever follows is counted. Watches and events are nobody's pass.
    fn next(&self, request: &Request<Body>) -> Option<Failure> {
        let uri = request.uri().to_string();
        if uri.contains("watch=true") || uri.contains("/events") || uri.contains("limit=500") {
            return None;
        }
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if request.method() == Method::GET && request.uri().path().contains("/flexconnectservers/") {
            plan.calls = 0;
        }
        let call = plan.calls;
        plan.calls += 1;
        if call != plan.at {
            return None;
        }
        let failure = plan.failures.pop_front()?;
        plan.failed += 1;
        Some(failure)
    }
}

impl<S> Layer<S> for Faults {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty {
            inner,
            faults: self.clone(),
        }
    }
}

/// A service that fails as planned.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl<S, B> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Answer<B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Answer<B>>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let failure = self.faults.next(&request);
        match failure {
            Some(Failure::Status(code)) => Box::pin(async move { Ok(refusal(code)?.map(Either::Right)) }),
            Some(Failure::Unsent) => Box::pin(async { Err("the test lost the request".into()) }),
            Some(Failure::Unanswered) => {
                let answer = self.inner.call(request);
                Box::pin(async move {
                    // To its end, so that it is carried out.
                    drop(answer.await.map_err(Into::into)?);
                    Err("the test lost the answer".into())
                })
            }
            None => {
                let answer = self.inner.call(request);
                Box::pin(async move { Ok(answer.await.map_err(Into::into)?.map(Either::Left)) })
            }
        }
    }
}

/// What the API server said, or what the test says in its place.
type Answer<B> = Either<B, Full<Bytes>>;

fn refusal(code: u16) -> Result<Response<Full<Bytes>>, BoxError> {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "the test wants it so", "reason": reason, "code": code
    });
    let mut answer = Response::new(Full::new(Bytes::from(status.to_string())));
    *answer.status_mut() = StatusCode::from_u16(code)?;
    Ok(answer)
}
