//! The accept loop: every connection becomes a task that greets, serves and, when the server asks for it, says goodbye.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt as _};

use super::preface::await_preface;
use super::tls::HTTP2;
use crate::admin::Pulse;
use crate::drain::Phase;

/// How long a TLS handshake, and then the first bytes of HTTP/2, may take.
const GREETING: Duration = Duration::from_secs(10);

/// How long connections may take to end once nothing is served any more.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait when the system has no more file descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Windows and frames as large as the original's: result batches are large.
const WINDOW: u32 = 4 * 1024 * 1024;

/// The original's limit for request headers.
const MAX_HEADER_LIST: u32 = 16 * 1024;

/// Far beyond what clients open; waiting calls are bounded by the queue of tasks, with a better answer.
const MAX_STREAMS: u32 = 10_000;

const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves connections until the phase is [`Phase::Stopped`] and they have ended, or their time is up.
///
/// When the phase advances, every connection that is open is asked to end (GOAWAY): calls in flight finish, clients
/// connect anew, and find another replica where there is one.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    mut phase: watch::Receiver<Phase>,
    pulse: Pulse,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connections = JoinSet::new();
    let mut beat = interval(Pulse::INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = reached(&mut phase, |phase| phase == Phase::Stopped) => break,
            _ = beat.tick() => pulse.beat(),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection { peer, tls: tls.clone(), service: service.clone(), phase: phase.clone() };
                    connections.spawn(connection.run(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "accept_failed");
                    sleep(OUT_OF_DESCRIPTORS).await;
                }
            }
        }
    }
    drop(listener);
    let ended = timeout(FAREWELL, async { while connections.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!(connections = connections.len(), "connections_cut");
    }
}

struct Connection<S> {
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    service: S,
    phase: watch::Receiver<Phase>,
}

impl<S, B> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    async fn run(mut self, stream: TcpStream) {
        let peer = peer_name(self.peer);
        // Small answers must not wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        let greeted = match self.tls.take() {
            None => self.greet_and_serve(stream).await,
            Some(tls) => match self.unless_stopped(handshake(&tls, stream)).await {
                Some(Ok(stream)) => self.greet_and_serve(stream).await,
                Some(Err(error)) => Err(error),
                None => Ok(()),
            },
        };
        if let Err(error) = greeted {
            tracing::debug!(%peer, %error, "connection_refused");
        }
    }

    async fn greet_and_serve<Io>(&mut self, io: Io) -> io::Result<()>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.unless_stopped(await_preface(io, GREETING)).await {
            Some(io) => {
                self.serve(io?).await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Waits for a greeting, but not beyond the end of the server.
    async fn unless_stopped<F: Future>(&mut self, greeting: F) -> Option<F::Output> {
        tokio::select! {
            greeted = greeting => Some(greeted),
            () = reached(&mut self.phase, |phase| phase == Phase::Stopped) => None,
        }
    }

    async fn serve<Io>(&mut self, io: Io)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = self.peer;
        let service = self.service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(TcpConnectInfo {
                local_addr: None,
                remote_addr: Some(peer),
            });
            request
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(WINDOW)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let opened_in = *self.phase.borrow();
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = reached(&mut self.phase, |phase| asks_to_leave(opened_in, phase)) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %peer_name(peer), error = %crate::telemetry::chain(&error), "connection_failed");
        }
    }
}

/// Waits for a phase; a server that is gone has reached them all.
async fn reached(phase: &mut watch::Receiver<Phase>, is_it: impl Fn(Phase) -> bool) {
    let _ = phase.wait_for(|phase| is_it(*phase)).await.map(drop);
}

/// Whether a connection that was opened in one phase is asked to leave in another.
fn asks_to_leave(opened: Phase, now: Phase) -> bool {
    now >= Phase::LameDuck && now > opened
}

async fn handshake(tls: &TlsAcceptor, stream: TcpStream) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let stream = timeout(GREETING, tls.accept(stream)).await??;
    if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client did not ask for HTTP/2 (ALPN h2)",
        ));
    }
    Ok(stream)
}

/// The caller as logs name it: `ipv4:127.0.0.1:45286`, `ipv6:%5B::1%5D:47028`.
pub(super) fn peer_name(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V4(peer) => format!("ipv4:{peer}"),
        SocketAddr::V6(peer) => format!("ipv6:%5B{}%5D:{}", peer.ip(), peer.port()),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:45286", "ipv4:127.0.0.1:45286")]
    #[case("[::1]:47028", "ipv6:%5B::1%5D:47028")]
    fn peers_are_named_as_grpc_does(#[case] peer: &str, #[case] expected: &str) {
        assert_eq!(peer_name(peer.parse().unwrap()), expected);
    }

    #[rstest]
    #[case::functions_load(Phase::Starting, Phase::Serving, false)]
    #[case::lame_duck(Phase::Serving, Phase::LameDuck, true)]
    #[case::opened_by_a_late_client(Phase::LameDuck, Phase::LameDuck, false)]
    #[case::closing(Phase::LameDuck, Phase::Closing, true)]
    #[case::opened_to_read_a_result(Phase::Closing, Phase::Closing, false)]
    #[case::end(Phase::Closing, Phase::Stopped, true)]
    fn connections_leave_when_a_phase_of_the_end_begins(
        #[case] opened: Phase,
        #[case] now: Phase,
        #[case] expected: bool,
    ) {
        assert_eq!(asks_to_leave(opened, now), expected);
    }
}
