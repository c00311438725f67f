//! What a worker answers, on its way to the client, until its trailers; or until the worker is gone, which is told there.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tonic::Status;

use super::{InWorker, Refusal, broken_off};
use crate::drain::CallInProgress;
use crate::error::{self, FlightError};

/// What lasts as long as the answer.
pub(super) struct Following {
    in_worker: InWorker,
    /// The end of the server waits for the call.
    _in_progress: CallInProgress,
    refusal: Refusal,
}

/// The body of an answer.
pub(super) struct Answer {
    state: State,
    following: Following,
    tracebacks: bool,
}

enum State {
    Open(Incoming),
    /// Why it was broken off is being found out.
    Broken(Pin<Box<dyn Future<Output = FlightError> + Send>>),
    /// Everything was told.
    Ended,
}

impl Answer {
    pub(super) const fn follow(in_worker: InWorker, in_progress: CallInProgress, refusal: Refusal) -> Following {
        Following {
            in_worker,
            _in_progress: in_progress,
            refusal,
        }
    }

    pub(super) const fn new(body: Incoming, following: Following, tracebacks: bool) -> Self {
        Self {
            state: State::Open(body),
            following,
            tracebacks,
        }
    }

    fn break_off(&mut self, error: Box<dyn Error + Send + Sync>) {
        let InWorker { shared, worker } = &self.following.in_worker;
        let (shared, worker) = (Arc::clone(shared), *worker);
        let refusal = Arc::clone(&self.following.refusal);
        self.state = State::Broken(Box::pin(
            async move { broken_off(&shared, worker, &refusal, &*error).await },
        ));
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match &mut self.state {
                State::Open(body) => match ready!(Pin::new(body).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        let trailers = match frame.into_trailers() {
                            Ok(trailers) => trailers,
                            Err(data) => return Poll::Ready(Some(Ok(data))),
                        };
                        self.state = State::Ended;
                        let trailers = error::tidy(trailers, self.tracebacks);
                        return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                    }
                    Some(Err(error)) => self.break_off(error.into()),
                    None => self.break_off("an answer ended without trailers".into()),
                },
                State::Broken(why) => {
                    let why = ready!(why.as_mut().poll(context));
                    self.state = State::Ended;
                    let mut trailers = HeaderMap::new();
                    // Not refused: what we write is escaped.
                    let _ = Status::from(why).add_header(&mut trailers);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}
