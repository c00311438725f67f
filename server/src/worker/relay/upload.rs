//! What a client sends, on its way to the worker: frames as they are, and no message larger than the server takes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::Refusal;
use crate::flight;

/// A flag, and a length of four bytes.
const HEAD: usize = 5;

/// The body of a request. A message that is too large ends it, and says why in the refusal.
pub(super) struct Upload<B> {
    body: Pin<Box<B>>,
    lengths: Lengths,
    refusal: Refusal,
}

impl<B> Upload<B> {
    pub(super) fn new(body: B, max_message_bytes: usize, refusal: Refusal) -> Self {
        Self {
            body: Box::pin(body),
            lengths: Lengths::new(max_message_bytes),
            refusal,
        }
    }
}

impl<B> Body for Upload<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(self.body.as_mut().poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
        };
        if let Some(data) = frame.data_ref()
            && let Err(found) = self.lengths.follow(data)
        {
            let limit = self.lengths.limit;
            let text = format!("decoded message length too large: found {found} bytes, the limit is: {limit} bytes");
            let status = Status::out_of_range(text);
            let _ = self.refusal.set(flight::unreadable(&status));
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Follows the lengths of gRPC messages through frames that are cut anywhere. Pure.
struct Lengths {
    limit: usize,
    head: [u8; HEAD],
    /// Bytes of the head that are there.
    have: usize,
    /// Bytes of the message that are to come.
    left: usize,
}

impl Lengths {
    const fn new(limit: usize) -> Self {
        Self {
            limit,
            head: [0; HEAD],
            have: 0,
            left: 0,
        }
    }

    /// Reads on. An error is the length of a message that is too large.
    fn follow(&mut self, mut data: &[u8]) -> Result<(), usize> {
        while !data.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(data.len());
                self.left -= skipped;
                data = &data[skipped..];
                continue;
            }
            let taken = (HEAD - self.have).min(data.len());
            self.head[self.have..self.have + taken].copy_from_slice(&data[..taken]);
            self.have += taken;
            data = &data[taken..];
            if self.have == HEAD {
                let [_, length @ ..] = self.head;
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length > self.limit {
                    return Err(length);
                }
                (self.have, self.left) = (0, length);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(length: usize) -> Vec<u8> {
        let mut message = vec![0];
        message.extend(u32::try_from(length).unwrap().to_be_bytes());
        message.resize(HEAD + length, 7);
        message
    }

    proptest! {
        #[test]
        fn wherever_frames_are_cut_the_first_message_that_is_too_large_is_found(
            lengths in prop::collection::vec(0_usize..40, 0..12),
            cuts in prop::collection::vec(1_usize..17, 1..40),
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
            let mut follow = Lengths::new(30);
            let mut found = Ok(());
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || found.is_err() {
                    break;
                }
                let (frame, more) = rest.split_at((*cut).min(rest.len()));
                found = follow.follow(frame);
                rest = more;
            }
            let expected = lengths.iter().find(|length| **length > 30).map_or(Ok(()), |length| Err(*length));
            prop_assert_eq!(found, expected);
        }
    }
}
