//! Runs the calls of a connection, and ends a call whose client does not take its answer.
//!
//! HTTP/2 lets a client stop one stream by leaving its window closed, while the connection lives on. What the call holds,
//! a result above all, would then be held for as long as the client likes. Nothing asks the body of such an answer for
//! more, so the body cannot notice; the task that runs the call can.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;

use super::accept::peer_name;
use super::patience::Patience;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionEnd;

thread_local! {
    /// What was seen of an answer while its call was polled; a poll begins and ends on one thread.
    static SEEN: Cell<Seen> = const { Cell::new(Seen::Nothing) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The answer was not looked at.
    Nothing,
    /// The service owes the next part.
    Waits,
    /// A part was handed over, and is the client's to take.
    Given,
}

/// Starts the calls of one connection.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    peer: SocketAddr,
    limit: Option<Duration>,
    metrics: Metrics,
}

impl Streams {
    /// Calls of this peer, ended when nothing was taken for the limit.
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
            clients_turn: false,
        });
    }
}

/// One call, from its request to the last byte of its answer. Dropping it resets the stream.
struct Stream<F> {
    call: Pin<Box<F>>,
    about: Streams,
    patience: Patience,
    clients_turn: bool,
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        SEEN.set(Seen::Nothing);
        if self.call.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match SEEN.get() {
            Seen::Nothing => {}
            Seen::Waits => {
                self.patience.moved();
                self.clients_turn = false;
            }
            Seen::Given => {
                self.patience.moved();
                self.clients_turn = true;
            }
        }
        if self.clients_turn && self.patience.poll_lost(context).is_ready() {
            self.about.metrics.connection_ended(ConnectionEnd::Stalled);
            tracing::info!(peer = peer_name(self.about.peer), "stalled_client");
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The body of an answer, which says to the task that runs its call whose turn it is.
#[derive(Debug)]
pub(super) struct Answer<B>(B);

impl<B> Answer<B> {
    /// To be called when the service has answered.
    pub(super) fn new(body: B) -> Self {
        SEEN.set(Seen::Given);
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
        SEEN.set(if frame.is_ready() { Seen::Given } else { Seen::Waits });
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
