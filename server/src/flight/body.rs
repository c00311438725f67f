//! The body of a `DoGet` answer: heads that we write, Arrow buffers as they lie in memory, and the trailers.
//!
//! tonic's codec would copy every message into a buffer of its own.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use http::HeaderMap;
use http_body::Frame;
use tonic::Status;

use super::frame;
use super::pieces::{Pieces, unreadable};
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::ipc::Message;

/// What clients read: messages in their order, the schema first. After an error nothing follows.
pub type DataStream = BoxStream<'static, Result<Message, FlightError>>;

/// Bytes that are gathered before they are sent, so that small messages share a frame.
const GATHER: usize = 32 * 1024;

/// A segment that is not larger is gathered too.
const SMALL_SEGMENT: usize = 8 * 1024;

/// How long gathered bytes may wait for a stream that is busy making the next message.
const PATIENCE: Duration = Duration::from_millis(1);

/// Pulls messages as fast as the client reads them.
pub(super) struct DataBody {
    state: State,
    /// Bytes of heads and small segments, not yet sent.
    gathered: BytesMut,
    /// When the first of them was gathered.
    since: Option<Instant>,
    /// The segments of the message that is being sent, the next one last.
    segments: Vec<Bytes>,
    /// Or its body on disk.
    disk: Option<Pieces>,
}

enum State {
    /// Messages come.
    Open(DataStream),
    /// How the stream ended is to be told.
    Ending(Status),
    /// Everything was told.
    Ended,
}

impl DataBody {
    pub(super) fn new(messages: DataStream) -> Self {
        Self {
            state: State::Open(messages),
            gathered: BytesMut::new(),
            since: None,
            segments: Vec::new(),
            disk: None,
        }
    }

    /// Takes a message apart.
    fn put(&mut self, message: &Message) {
        if let Err(error) = frame::put_head(&mut self.gathered, message) {
            self.state = State::Ending(unsendable(error).into());
            return;
        }
        self.segments.extend(message.body.segments().iter().rev().cloned());
        self.disk = message.body.region().cloned().map(Pieces::new);
    }

    /// The next piece of a body on disk.
    fn poll_disk(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(pieces) = &mut self.disk else {
            return Poll::Ready(None);
        };
        if !self.gathered.is_empty() {
            return Poll::Ready(Some(self.take_gathered()));
        }
        match ready!(pieces.poll_next(context)) {
            Some(Ok(piece)) => Poll::Ready(Some(piece)),
            Some(Err(error)) => {
                self.disk = None;
                self.state = State::Ending(unreadable(&error).into());
                Poll::Ready(None)
            }
            None => {
                self.disk = None;
                Poll::Ready(None)
            }
        }
    }

    /// Gathers small segments of the current message. Returns what is to be sent before any more is pulled.
    fn gather(&mut self) -> Option<Bytes> {
        while let Some(segment) = self.segments.pop() {
            if segment.len() <= SMALL_SEGMENT {
                self.gathered.extend_from_slice(&segment);
            } else if self.gathered.is_empty() {
                return Some(segment);
            } else {
                self.segments.push(segment);
                return Some(self.take_gathered());
            }
        }
        let full = self.gathered.len() >= GATHER || self.since.is_some_and(|since| since.elapsed() >= PATIENCE);
        full.then(|| self.take_gathered())
    }

    fn take_gathered(&mut self) -> Bytes {
        self.since = None;
        self.gathered.split().freeze()
    }
}

impl http_body::Body for DataBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(bytes) = self.gather() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if let Some(bytes) = ready!(self.poll_disk(context)) {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let State::Open(messages) = &mut self.state else {
                if !self.gathered.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(self.take_gathered()))));
                }
                let ended = mem::replace(&mut self.state, State::Ended);
                return Poll::Ready(ended.trailers().map(|trailers| Ok(Frame::trailers(trailers))));
            };
            match messages.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => {
                    self.put(&message);
                    self.since.get_or_insert_with(Instant::now);
                }
                Poll::Ready(Some(Err(error))) => self.state = State::Ending(error.into()),
                Poll::Ready(None) => self.state = State::Ending(Status::ok("")),
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(Some(Ok(Frame::data(self.take_gathered())))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl State {
    fn trailers(self) -> Option<HeaderMap> {
        let Self::Ending(status) = self else {
            return None;
        };
        let mut trailers = HeaderMap::new();
        match status.add_header(&mut trailers) {
            Ok(()) => Some(trailers),
            // Not reached: what we write is escaped.
            Err(_) => None,
        }
    }
}

fn unsendable(error: frame::TooLong) -> FlightError {
    FlightError::new(
        FlightKind::Server,
        ErrorInfo::new(
            ErrorCode::COMMAND_FAILED,
            format!("The result cannot be sent: {error}."),
        ),
    )
}

#[cfg(test)]
mod tests;
