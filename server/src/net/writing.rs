//! Gives up a connection whose other end takes no bytes any more.
//!
//! The kernel of a client that stopped reading still answers for it, so TCP never notices, and a PING that cannot be
//! written cannot be answered late. Without a limit such a connection keeps what it was to be sent for ever.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::patience::Patience;

/// A stream whose writes fail when nothing could be written for a while.
#[derive(Debug)]
pub(super) struct Writing<Io> {
    io: Io,
    patience: Patience,
}

impl<Io> Writing<Io> {
    pub(super) fn new(io: Io, limit: Option<Duration>) -> Self {
        Self {
            io,
            patience: Patience::new(limit),
        }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience.moved();
            return written;
        }
        self.patience.poll_lost(context).map(|()| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes no bytes any more",
            ))
        })
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Writing<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Writing<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.io).poll_shutdown(context);
        self.watch(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (_client, server) = tokio::io::duplex(16);
        let mut writing = Writing::new(server, Some(Duration::from_secs(5)));
        let error = writing.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_not() {
        let (mut client, server) = tokio::io::duplex(16);
        let mut writing = Writing::new(server, Some(Duration::from_secs(5)));
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            let mut some = [0; 16];
            while received.len() < 160 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                let count = client.read(&mut some).await.unwrap();
                received.extend_from_slice(&some[..count]);
            }
            received.len()
        });
        writing.write_all(&[0; 160]).await.unwrap();
        assert_eq!(reader.await.unwrap(), 160);
    }
}
