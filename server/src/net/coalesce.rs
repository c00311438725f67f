//! Gathers the frames of a connection into few large writes.
//!
//! h2 writes and flushes every DATA frame by itself. Most clients take frames of 16 KiB, and a system call for each of them
//! costs more than moving the bytes; small answers cost one for the headers and one for the trailers. So nothing is written
//! when h2 says "flush", but when the connection has nothing more to say at the moment ([`Outlet::drive`]) or when enough
//! has been gathered. Large frames are never held back.
//!
//! Gathering does not copy large parts: [`Announced`] bodies leave word of the buffers they hand over, and what h2 passes
//! on as a bare slice is recognised as a part of one of them.

mod announced;
mod queue;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub(super) use announced::{Announced, Notices};
use queue::Queue;

/// Bytes that are gathered before they are written.
const GATHER: usize = 256 * 1024;

/// Slices of a write; the system takes 1,024.
const SLICES: usize = 64;

/// A stream whose writes are gathered. Made by [`gather`].
pub(super) struct Gathered<Io>(Arc<Mutex<Gatherer<Io>>>);

/// Where gathered writes leave.
pub(super) struct Outlet<Io>(Arc<Mutex<Gatherer<Io>>>);

struct Gatherer<Io> {
    io: Io,
    queue: Queue,
    notices: Notices,
    /// What went wrong while nobody was there to be told.
    failure: Option<io::Error>,
}

/// Gathers what is written to a stream. The outlet must drive whatever writes. Buffers of which there are notices are not
/// copied.
pub(super) fn gather<Io>(io: Io, notices: Notices) -> (Gathered<Io>, Outlet<Io>) {
    let gatherer = Arc::new(Mutex::new(Gatherer {
        io,
        queue: Queue::default(),
        notices,
        failure: None,
    }));
    (Gathered(Arc::clone(&gatherer)), Outlet(gatherer))
}

impl<Io: AsyncWrite + Unpin> Outlet<Io> {
    /// Polls the writer to its end, and writes what was gathered whenever it has to wait.
    pub(super) async fn drive<F: Future>(&self, mut writer: Pin<&mut F>) -> F::Output {
        poll_fn(|context| {
            let polled = writer.as_mut().poll(context);
            if polled.is_pending() {
                let mut gatherer = lock(&self.0);
                if let Poll::Ready(Err(error)) = gatherer.poll_write_out(context) {
                    gatherer.failure = Some(error);
                    context.waker().wake_by_ref();
                }
            }
            polled
        })
        .await
    }
}

impl<Io: AsyncWrite + Unpin> Gatherer<Io> {
    /// Takes bytes, all of them when there is room, and otherwise as many as can be written.
    fn poll_take(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.failure.take() {
            return Poll::Ready(Err(error));
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        loop {
            if self.queue.len() + offered <= GATHER && self.queue.slices() + 2 * slices.len() <= SLICES {
                for slice in slices {
                    self.queue.push(slice, &self.notices);
                }
                return Poll::Ready(Ok(offered));
            }
            let queued = self.queue.len();
            let written = ready!(self.queue.poll_write(Pin::new(&mut self.io), context, slices))?;
            if written > queued {
                self.notices.forget_written(slices, written - queued);
                return Poll::Ready(Ok(written - queued));
            }
        }
    }

    /// Writes all that was gathered, and has the stream below do the same.
    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.queue.len() > 0 {
            ready!(self.queue.poll_write(Pin::new(&mut self.io), context, &[]))?;
        }
        self.queue.rest();
        Pin::new(&mut self.io).poll_flush(context)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Gathered<Io> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut gatherer = lock(&self.0);
        match gatherer.failure.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut gatherer.io).poll_read(context, buffer),
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Gathered<Io> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_take(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_take(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Leaves it to the outlet.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match lock(&self.0).failure.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gatherer = lock(&self.0);
        ready!(gatherer.poll_write_out(context))?;
        Pin::new(&mut gatherer.io).poll_shutdown(context)
    }
}

/// One task writes, reads and drives, so nobody ever waits here; a panic there ends the connection.
fn lock<Io>(gatherer: &Mutex<Gatherer<Io>>) -> MutexGuard<'_, Gatherer<Io>> {
    gatherer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
