//! Bytes that wait to be written: buffers that are shared, and between them small parts that were copied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::{Notices, SLICES};

/// Smaller parts are always copied.
const SMALL: usize = 4 * 1024;

/// Room for small parts that a connection keeps while it is silent. There may be thousands of them.
const KEPT: usize = 16 * 1024;

/// Bytes in their order.
#[derive(Default)]
pub(super) struct Queue {
    parts: VecDeque<Bytes>,
    /// What follows them, still growing.
    tail: BytesMut,
    len: usize,
}

impl Queue {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Slices that writing all of it takes.
    pub(super) fn slices(&self) -> usize {
        self.parts.len() + 1
    }

    /// Gives back the room that much traffic took, when all is written.
    pub(super) fn rest(&mut self) {
        if self.len == 0 && self.tail.capacity() > KEPT {
            self.tail = BytesMut::new();
        }
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.tail.capacity()
    }

    /// Adds a slice: shared, if it is a part of a buffer that was announced.
    pub(super) fn push(&mut self, slice: &[u8], notices: &Notices) {
        self.len += slice.len();
        let shared = if slice.len() > SMALL { notices.find(slice) } else { None };
        match shared {
            None => self.tail.extend_from_slice(slice),
            Some(part) => {
                if !self.tail.is_empty() {
                    self.parts.push_back(self.tail.split().freeze());
                }
                self.parts.push_back(part);
            }
        }
    }

    /// Writes what waits, and `more` after it. Tells the bytes written, `more` included.
    pub(super) fn poll_write<Io: AsyncWrite>(
        &mut self,
        io: Pin<&mut Io>,
        context: &mut Context<'_>,
        more: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let waiting = self.parts.iter().map(|part| &part[..]).chain([&self.tail[..]]);
        let all = waiting
            .chain(more.iter().map(|slice| &slice[..]))
            .filter(|slice| !slice.is_empty());
        let count = slices
            .iter_mut()
            .zip(all)
            .map(|(slot, slice)| *slot = IoSlice::new(slice))
            .count();
        let written = ready!(io.poll_write_vectored(context, &slices[..count]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written.min(self.len));
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(part) = self.parts.front_mut() {
            if written < part.len() {
                part.advance(written);
                return;
            }
            written -= part.len();
            self.parts.pop_front();
        }
        self.tail.advance(written);
    }
}
