//! The life of one connection: it is greeted, served, and asked to go when it is old or the server ends.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::transport::server::TcpConnectInfo;
use tower::{Service, ServiceExt as _};

use super::coalesce::{Announced, Notices, gather};
use super::names::{PeerName, peer_name};
use super::preface::await_preface;
use super::streams::{Answer, Asked, Streams};
use super::tls::{self, Acceptor};
use super::writing::Writing;
use crate::auth::ClientCertificate;
use crate::config::ConnectionSettings;
use crate::drain::Phase;
use crate::telemetry::metrics::ConnectionEnd;
use crate::telemetry::{Metrics, chain};

/// Windows and frames as large as the original's: result batches are large.
const WINDOW: u32 = 4 * 1024 * 1024;

/// What a stream may have handed over and not sent yet: enough that the next large frame is there when one was sent.
const SEND_BUFFER: usize = 2 * 1024 * 1024;

/// Streams that a client opened and reset before they were looked at; more of them end the connection. It is what keeps a
/// flood of resets (CVE-2023-44487) from costing anything.
const MAX_RESET_UNSEEN: usize = 64;

/// Streams that the server reset because the client broke the rules of HTTP/2.
const MAX_RESET_FOR_ERRORS: usize = 1_024;

/// What a connection is made of.
pub(super) struct Connection<S> {
    pub(super) peer: SocketAddr,
    pub(super) tls: Option<Acceptor>,
    pub(super) service: S,
    pub(super) settings: Arc<ConnectionSettings>,
    pub(super) metrics: Metrics,
    /// The phase in which it was accepted.
    pub(super) opened: Phase,
    pub(super) phase: watch::Receiver<Phase>,
}

/// Why a connection is asked to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    /// The server ends. The drain says for how long calls go on.
    Drain,
    /// The connection is old; its client shall find the whole fleet again.
    Age,
}

impl Farewell {
    const fn counted(self) -> ConnectionEnd {
        match self {
            Self::Drain => ConnectionEnd::Shutdown,
            Self::Age => ConnectionEnd::Age,
        }
    }
}

impl<S, B> Connection<S>
where
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Runs to the end of the connection.
    pub(super) async fn run(mut self, stream: TcpStream) {
        let _open = self.metrics.connection_accepted();
        // Small answers must not wait for acknowledgements.
        let _ = stream.set_nodelay(true);
        let limit = self.settings.handshake_timeout;
        match self.tls.take() {
            None => self.greet_and_serve(stream, None).await,
            Some(tls) => match self.unless_stopped(tls::handshake(&tls, stream, limit)).await {
                Some(Ok((stream, certificate))) => self.greet_and_serve(stream, certificate).await,
                Some(Err(error)) => self.refuse(&error, ConnectionEnd::Handshake),
                None => {}
            },
        }
    }

    /// Runs from the preface of HTTP/2 to the end.
    pub(super) async fn greet_and_serve<Io>(&mut self, io: Io, certificate: Option<Arc<ClientCertificate>>)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limit = self.settings.handshake_timeout;
        match self.unless_stopped(await_preface(io, limit)).await {
            Some(Ok(io)) => self.serve(io, certificate).await,
            Some(Err(error)) => self.refuse(&error, ConnectionEnd::Preface),
            None => {}
        }
    }

    fn refuse(&self, error: &io::Error, reason: ConnectionEnd) {
        self.metrics.connection_ended(reason);
        tracing::debug!(peer = peer_name(self.peer), %error, "connection_refused");
    }

    /// Waits for a greeting, but not beyond the end of the server.
    async fn unless_stopped<F: Future>(&mut self, greeting: F) -> Option<F::Output> {
        tokio::select! {
            greeted = greeting => Some(greeted),
            () = reached(&mut self.phase, |phase| phase == Phase::Stopped) => None,
        }
    }

    async fn serve<Io>(&mut self, io: Io, certificate: Option<Arc<ClientCertificate>>)
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = self.peer;
        let about = TcpConnectInfo {
            local_addr: None,
            remote_addr: Some(peer),
        };
        let name = PeerName(peer_name(peer).into());
        let notices = Notices::default();
        let handed_over = notices.clone();
        let service = self
            .service
            .clone()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(about.clone());
                request.extensions_mut().insert(name.clone());
                if let Some(certificate) = &certificate {
                    request.extensions_mut().insert(Arc::clone(certificate));
                }
                request.map(Asked::new)
            })
            .map_response(move |response: Response<B>| {
                response.map(|body| Announced::new(Answer::new(body), &handed_over))
            });
        let (io, outlet) = gather(Writing::new(io, self.settings.stalled_client_timeout), notices);
        let io = TokioIo::new(io);
        let connection =
            http2(peer, &self.settings, &self.metrics).serve_connection(io, TowerToHyperService::new(service));
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = outlet.drive(connection.as_mut()) => ended,
            farewell = self.farewell() => {
                connection.as_mut().graceful_shutdown();
                self.metrics.connection_ended(farewell.counted());
                match (farewell, self.settings.max_age_grace) {
                    (Farewell::Age, Some(grace)) => timeout(grace, outlet.drive(connection)).await.unwrap_or_else(|_| {
                        tracing::info!(peer = peer_name(peer), "old_connection_cut");
                        Ok(())
                    }),
                    (Farewell::Age, None) | (Farewell::Drain, _) => outlet.drive(connection).await,
                }
            }
        };
        if let Err(error) = ended {
            if let Some(reason) = reason(&error) {
                self.metrics.connection_ended(reason);
            }
            tracing::debug!(peer = peer_name(peer), error = %chain(&error), "connection_failed");
        }
    }

    /// Waits until the connection shall go.
    async fn farewell(&mut self) -> Farewell {
        let opened = self.opened;
        let old = async {
            match self.settings.max_age {
                Some(age) => sleep(vary(age, rand::random())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = reached(&mut self.phase, |phase| asks_to_leave(opened, phase)) => Farewell::Drain,
            () = old => Farewell::Age,
        }
    }
}

fn http2(peer: SocketAddr, settings: &ConnectionSettings, metrics: &Metrics) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams::new(peer, settings.stalled_client_timeout, metrics));
    builder
        .timer(TokioTimer::new())
        // gRPC has no use for it, and clients would be shown it as metadata.
        .auto_date_header(false)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(settings.max_header_bytes)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_pending_accept_reset_streams(MAX_RESET_UNSEEN)
        .max_local_error_reset_streams(MAX_RESET_FOR_ERRORS)
        .keep_alive_interval(settings.keep_alive_interval)
        .keep_alive_timeout(settings.keep_alive_timeout);
    builder
}

/// The door of the fuzzers: a connection without TLS over any stream, to its end.
#[cfg(feature = "fuzzing")]
pub(crate) async fn fuzz_connection<Io, S, B>(
    io: Io,
    service: S,
    settings: ConnectionSettings,
    metrics: &Metrics,
    phase: watch::Receiver<Phase>,
) where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let opened = *phase.borrow();
    let mut connection = Connection {
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
        tls: None,
        service,
        settings: Arc::new(settings),
        metrics: metrics.clone(),
        opened,
        phase,
    };
    connection.greet_and_serve(io, None).await;
}

/// Why the server ended a connection. `None` when the client did, or the network.
fn reason(error: &hyper::Error) -> Option<ConnectionEnd> {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
        {
            return Some(ConnectionEnd::Stalled);
        }
        if error
            .downcast_ref::<h2::Error>()
            .is_some_and(|error| error.is_go_away() && error.is_library())
        {
            return Some(ConnectionEnd::Protocol);
        }
        cause = error.source();
    }
    error.is_timeout().then_some(ConnectionEnd::KeepAlive)
}

/// Waits for a phase; a server that is gone has reached them all.
pub(super) async fn reached(phase: &mut watch::Receiver<Phase>, is_it: impl Fn(Phase) -> bool) {
    let _ = phase.wait_for(|phase| is_it(*phase)).await.map(drop);
}

/// Whether a connection that was opened in one phase is asked to leave in another.
fn asks_to_leave(opened: Phase, now: Phase) -> bool {
    now >= Phase::LameDuck && now > opened
}

/// A duration up to a fifth shorter or longer, so that connections that came together do not go together. `chance` is
/// between 0 and 1.
fn vary(duration: Duration, chance: f64) -> Duration {
    duration.mul_f64(0.8 + 0.4 * chance)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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

    #[rstest]
    #[case(0.0, 240)]
    #[case(0.5, 300)]
    #[case(1.0, 360)]
    fn ages_vary_by_a_fifth(#[case] chance: f64, #[case] expected: u64) {
        let age = vary(Duration::from_mins(5), chance).as_secs_f64();
        assert!(
            (age - Duration::from_secs(expected).as_secs_f64()).abs() < 1e-6,
            "{age}"
        );
    }
}
