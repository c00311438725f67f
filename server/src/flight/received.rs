//! The body of a request while it comes, counted as what the server keeps in memory.
//!
//! A message is kept until its last byte is there. A client that sends large ones slowly, many of them at once, would hold
//! as much memory as it likes; so what is there of them is taken from the bytes that results and commands share, and a
//! request that does not fit is told to come again.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use crate::error::FlightError;
use crate::memory::{Budget, Lease};

/// Bytes of a message that are received whatever is kept: when results take up everything, clients must be able to read
/// them, and to cancel.
const ALWAYS: usize = 16 * 1024;

/// What stands before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A body that takes what it keeps from a budget.
#[derive(Debug)]
pub(super) struct Received<B> {
    body: B,
    unfinished: Unfinished,
    lease: Lease,
}

impl<B> Received<B> {
    pub(super) fn new(body: B, budget: &Budget) -> Self {
        Self {
            body,
            unfinished: Unfinished::default(),
            lease: budget.lease_anyway(0),
        }
    }
}

/// What a request is answered with that does not fit.
pub(super) fn full() -> FlightError {
    FlightError::backpressure("There is no memory for this request. Try again later.")
}

impl<B> Body for Received<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self {
            body,
            unfinished,
            lease,
        } = &mut *self;
        // Whoever asks for more has taken every message that is whole.
        lease.shrink_to(unfinished.bytes);
        let frame = ready!(Pin::new(body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            if lease.bytes() + data.len() <= ALWAYS {
                lease.add_anyway(data.len());
            } else if lease.add(data.len()).is_err() {
                return Poll::Ready(Some(Err(Status::from(full()).into())));
            }
            unfinished.follow(data);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The message whose last byte is not there yet.
#[derive(Debug, Default)]
struct Unfinished {
    /// What is there of it, prefix included.
    bytes: usize,
    /// The length in its prefix, as far as that is there.
    length: u32,
}

impl Unfinished {
    /// Counts the next bytes of the body.
    fn follow(&mut self, mut data: &[u8]) {
        while let Some((&next, rest)) = data.split_first() {
            if self.bytes < PREFIX {
                // The first byte says whether the message is compressed.
                if self.bytes > 0 {
                    self.length = self.length << 8 | u32::from(next);
                }
                self.bytes += 1;
                data = rest;
            } else {
                let missing = PREFIX.saturating_add(self.length as usize) - self.bytes;
                let taken = missing.min(data.len());
                self.bytes += taken;
                data = &data[taken..];
            }
            if self.bytes >= PREFIX && self.bytes - PREFIX == self.length as usize {
                *self = Self::default();
            }
        }
    }
}

#[cfg(test)]
mod tests;
