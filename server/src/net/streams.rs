//! Runs the calls of a connection, and ends a call whose client does not take its answer, or does not finish its request.
//!
//! HTTP/2 lets a client stop one stream while the connection lives on: by leaving its window closed, or by never sending
//! the rest of its request. What the call holds, a result above all, would then be held for as long as the client likes.
//! Nothing asks the body of such an answer for more, so the body cannot notice; the task that runs the call can.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;

use super::names::peer_name;
use super::patience::Patience;
use crate::telemetry::Metrics;

thread_local! {
    /// What was seen of request and answer while their call was polled; a poll begins and ends on one thread.
    static SEEN: Cell<Seen> = const { Cell::new(Seen { turn: None, moved: false }) };
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Who has to do the next step, where that was seen.
    turn: Option<Turn>,
    /// Something came from the client, or was handed over for it.
    moved: bool,
}

/// Who is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The service owes the next part of its answer.
    Service,
    /// The client owes the rest of its request, or has to take what there is.
    Client,
}

/// Says what was seen; of several sights within one poll, the last one says whose turn it is.
fn saw(turn: Turn, moved: bool) {
    let moved = moved || SEEN.get().moved;
    SEEN.set(Seen {
        turn: Some(turn),
        moved,
    });
}

/// Starts the calls of one connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    peer: SocketAddr,
    limit: Option<Duration>,
    metrics: Metrics,
}

impl Streams {
    /// Calls of this peer, ended when their client did nothing for the limit though it was its turn.
    pub(super) fn new(peer: SocketAddr, limit: Option<Duration>, metrics: &Metrics) -> Self {
        Self {
            peer,
            limit,
            metrics: metrics.clone(),
        }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, call: F) {
        tokio::spawn(Stream {
            call: Box::pin(call),
            about: self.clone(),
            patience: Patience::new(self.limit),
            turn: Turn::Service,
        });
    }
}

/// One call, from its request to the last byte of its answer. Dropping it resets the stream.
struct Stream<F> {
    call: Pin<Box<F>>,
    about: Streams,
    patience: Patience,
    turn: Turn,
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        SEEN.take();
        if self.call.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let Seen { turn, moved } = SEEN.take();
        if moved {
            self.patience.moved();
        }
        self.turn = turn.unwrap_or(self.turn);
        if self.turn == Turn::Client && self.patience.poll_lost(context).is_ready() {
            self.about.metrics.call_stalled();
            tracing::info!(peer = peer_name(self.about.peer), "stalled_client");
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The body of a request, which says to the task that runs its call when the client is waited for. A service that answers
/// while it reads is waited for itself.
#[derive(Debug)]
pub(crate) struct Asked(Incoming);

impl Asked {
    pub(super) const fn new(body: Incoming) -> Self {
        Self(body)
    }
}

impl Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        if frame.is_ready() {
            saw(Turn::Service, true);
        } else {
            saw(Turn::Client, false);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// The body of an answer, which says to the task that runs its call whose turn it is.
#[derive(Debug)]
pub(super) struct Answer<B>(B);

impl<B> Answer<B> {
    /// To be called when the service has answered.
    pub(super) fn new(body: B) -> Self {
        saw(Turn::Client, true);
        Self(body)
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.0).poll_frame(context);
        saw(if frame.is_ready() { Turn::Client } else { Turn::Service }, true);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
