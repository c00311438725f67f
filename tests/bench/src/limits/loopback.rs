//! Bytes over loopback TCP, plain or through rustls: one thread sends, one receives, for each stream.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rustix::time::{ClockId, clock_gettime};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::source;
use crate::certificate::Certificate;
use crate::load::Window;

const READ: usize = 256 << 10;

/// What went over in a window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) bytes: u64,
    /// CPU seconds of the senders.
    pub(crate) sender_cpu: f64,
}

/// Sends until the window closes; with a certificate, through TLS.
pub(crate) fn send(
    streams: usize,
    write: usize,
    certificate: Option<&Certificate>,
    window: Window,
) -> anyhow::Result<Rate> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let mut senders = Vec::new();
        let mut receivers = Vec::new();
        for _ in 0..streams {
            let to = TcpStream::connect(address)?;
            let (from, _) = listener.accept()?;
            to.set_nodelay(true)?;
            from.set_nodelay(true)?;
            senders.push(scope.spawn(move || match certificate {
                None => push(to, write, window),
                Some(certificate) => {
                    let connection =
                        ServerConnection::new(Arc::clone(&certificate.server)).map_err(io::Error::other)?;
                    push(StreamOwned::new(connection, to), write, window)
                }
            }));
            receivers.push(scope.spawn(move || match certificate {
                None => pull(from, window),
                Some(certificate) => {
                    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                    let connection =
                        ClientConnection::new(Arc::clone(&certificate.client), name).map_err(io::Error::other)?;
                    pull(StreamOwned::new(connection, from), window)
                }
            }));
        }
        let mut rate = Rate::default();
        let panicked = |_| anyhow!("a thread of the loopback test panicked");
        for sender in senders {
            rate.sender_cpu += sender.join().map_err(panicked)??.as_secs_f64();
        }
        for receiver in receivers {
            rate.bytes += receiver.join().map_err(panicked)??;
        }
        Ok(rate)
    })
}

/// Sends until the window closes; the CPU time of this thread in the window.
fn push(mut to: impl Write, write: usize, window: Window) -> io::Result<Duration> {
    let mut at_begin = None;
    for piece in source().chunks_exact(write).cycle() {
        let now = Instant::now();
        if at_begin.is_none() && now >= window.begin {
            at_begin = Some(cpu());
        }
        if now >= window.end {
            break;
        }
        to.write_all(piece)?;
    }
    Ok(at_begin.map_or(Duration::ZERO, |begin| cpu().saturating_sub(begin)))
}

/// Reads to the end; the bytes that came in the window.
fn pull(mut from: impl Read, window: Window) -> io::Result<u64> {
    let mut buffer = vec![0; READ];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(count) if window.holds(Instant::now()) => bytes += count as u64,
            Ok(_) => {}
            // The sender of TLS leaves without a word.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(bytes),
            Err(error) => return Err(error),
        }
    }
}

/// CPU time of this thread.
fn cpu() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}
