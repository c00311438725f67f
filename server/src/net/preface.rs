//! Waits for the first bytes of HTTP/2, for a limited time.
//!
//! A connection that is opened and then says nothing would otherwise live for ever: hyper puts a graceful shutdown off
//! until the preface is there. Connection pools leave such connections behind with every deployment.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose preface was read, and will be read once more by HTTP/2.
#[derive(Debug)]
pub(super) struct Prefaced<Io> {
    io: Io,
    replayed: usize,
}

/// Reads the preface. The error says what came instead.
pub(super) async fn await_preface<Io: AsyncRead + Unpin>(
    mut io: Io,
    limit: Duration,
) -> Result<Prefaced<Io>, io::Error> {
    let mut received = [0; PREFACE.len()];
    let read = async {
        let mut filled = 0;
        while filled < PREFACE.len() {
            let count = io.read(&mut received[filled..]).await?;
            filled += count;
            if count == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the client left before it said anything",
                ));
            }
            if received[..filled] != PREFACE[..filled] {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the client does not speak HTTP/2",
                ));
            }
        }
        Ok(())
    };
    match timeout(limit, read).await {
        Ok(outcome) => outcome.map(|()| Prefaced { io, replayed: 0 }),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the client said nothing")),
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Prefaced<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &PREFACE[self.replayed..];
        if rest.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.replayed += count;
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Prefaced<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn the_preface_is_read_again() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(&PREFACE[..10]).await.unwrap();
        client.write_all(&PREFACE[10..]).await.unwrap();
        client.write_all(b"rest").await.unwrap();
        drop(client);
        let mut received = Vec::new();
        await_preface(server, LIMIT)
            .await
            .unwrap()
            .read_to_end(&mut received)
            .await
            .unwrap();
        assert_eq!(received, [PREFACE.as_slice(), b"rest"].concat());
    }

    #[rstest]
    #[case::http1(b"GET / HTTP/1.1\r\n", io::ErrorKind::InvalidData)]
    #[case::nothing(b"", io::ErrorKind::UnexpectedEof)]
    #[tokio::test]
    async fn others_are_refused_at_once(#[case] sent: &[u8], #[case] expected: io::ErrorKind) {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(sent).await.unwrap();
        drop(client);
        assert_eq!(await_preface(server, LIMIT).await.unwrap_err().kind(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_after_the_limit() {
        let (_client, server) = tokio::io::duplex(64);
        assert_eq!(
            await_preface(server, LIMIT).await.unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_preface_in_slow_bits_does_not_last_longer() {
        let (mut client, server) = tokio::io::duplex(64);
        let slow = tokio::spawn(async move {
            for byte in PREFACE {
                tokio::time::sleep(LIMIT / 20).await;
                client.write_all(&[*byte]).await.unwrap();
            }
        });
        assert_eq!(
            await_preface(server, LIMIT).await.unwrap_err().kind(),
            io::ErrorKind::TimedOut
        );
        assert!(!slow.is_finished());
        slow.abort();
    }
}
