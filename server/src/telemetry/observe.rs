//! What every call passes first and last: its span, its metrics, and the code that it ended with.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::{Instrument as _, Span};

use super::metrics::RpcMeter;
use super::{Metrics, Rpc, spans};

/// Answers a call with `answer`, within its span, and follows the answer to its end.
pub(crate) async fn observe<B, F>(
    metrics: &Metrics,
    peer: Option<Arc<str>>,
    request: Request<B>,
    answer: impl FnOnce(Request<B>) -> F,
) -> Result<Response<Body>, Infallible>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    let rpc = Rpc::of_path(request.uri().path());
    let span = spans::rpc(rpc, peer.as_deref(), request.headers());
    let call = Call {
        span: span.clone(),
        meter: Some(metrics.rpc_arrived(rpc)),
    };
    let response = answer(request).instrument(span).await?;
    Ok(follow(call, response))
}

/// Follows an answer to its end: an error before the first message is its own end.
fn follow(mut call: Call, response: Response<Body>) -> Response<Body> {
    if code(response.headers()).is_some() {
        call.end(response.headers());
        return response;
    }
    response.map(|answer| Body::new(Observed { answer, call }))
}

/// A call that is being answered. Dropped before it ended, its client went away.
struct Call {
    span: Span,
    meter: Option<RpcMeter>,
}

impl Call {
    /// The answer ended with these trailers.
    fn end(&mut self, trailers: &HeaderMap) {
        let Some(meter) = self.meter.take() else { return };
        let code = code(trailers).unwrap_or(Code::Unknown);
        if code == Code::Ok {
            spans::rpc_succeeded(&self.span);
        } else {
            spans::rpc_failed(&self.span, trailers);
        }
        meter.ended(code);
    }

    /// The answer cannot go on, and has no trailers: its client sees a stream that is reset.
    fn break_off(&mut self, status: &Status) {
        let mut trailers = HeaderMap::new();
        // What cannot be a header is not in what the log and the trace are told either.
        let _ = status.add_header(&mut trailers);
        self.end(&trailers);
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers
        .get("grpc-status")
        .map(|status| Code::from_bytes(status.as_bytes()))
}

/// The body of an answer, until its trailers.
struct Observed {
    answer: Body,
    call: Call,
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Self { answer, call } = &mut *self;
        let frame = ready!(call.span.in_scope(|| Pin::new(answer).poll_frame(context)));
        match &frame {
            Some(Ok(frame)) => frame.trailers_ref().into_iter().for_each(|trailers| call.end(trailers)),
            Some(Err(status)) => call.break_off(status),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

#[cfg(test)]
mod tests;
