//! The accept loop: every connection becomes a task, as many as the configuration allows.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower::Service;

use super::connection::{Connection, reached};
use super::tls::Acceptor;
use crate::admin::Pulse;
use crate::config::ConnectionSettings;
use crate::drain::Phase;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionEnd;

/// How long connections may take to end once nothing is served any more.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait when the system has no more file descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Serves connections until the phase is [`Phase::Stopped`] and they have ended, or their time is up.
///
/// When the phase advances, every connection that is open is asked to end (GOAWAY): calls in flight finish, clients
/// connect anew, and find another replica where there is one. Connections beyond the limit are closed at once: a client
/// that learns so can go elsewhere, one that is kept waiting cannot.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<Acceptor>,
    service: S,
    settings: ConnectionSettings,
    metrics: Metrics,
    mut phase: watch::Receiver<Phase>,
    pulse: Pulse,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let settings = Arc::new(settings);
    let mut connections = JoinSet::new();
    let mut full = Trouble::new("connections_full");
    let mut failing = Trouble::new("accept_failed");
    let mut beat = interval(Pulse::INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = reached(&mut phase, |phase| phase == Phase::Stopped) => break,
            _ = beat.tick() => pulse.beat(),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() >= settings.max => {
                    drop(stream);
                    metrics.connection_ended(ConnectionEnd::TooMany);
                    full.occurred(format_args!("max_connections = {}", settings.max));
                }
                Ok((stream, peer)) => {
                    full.over();
                    failing.over();
                    let connection = Connection {
                        peer,
                        tls: tls.clone(),
                        service: service.clone(),
                        settings: Arc::clone(&settings),
                        metrics: metrics.clone(),
                        opened: *phase.borrow(),
                        phase: phase.clone(),
                    };
                    connections.spawn(connection.run(stream));
                }
                Err(error) => {
                    failing.occurred(&error);
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

/// Something that goes wrong for one client after the other: logged when it begins, and how often when it is over.
struct Trouble {
    event: &'static str,
    times: u64,
}

impl Trouble {
    fn new(event: &'static str) -> Self {
        Self { event, times: 0 }
    }

    fn occurred(&mut self, why: impl std::fmt::Display) {
        if self.times == 0 {
            tracing::warn!(error = %why, "{}", self.event);
        }
        self.times += 1;
    }

    fn over(&mut self) {
        if self.times > 0 {
            tracing::warn!(times = self.times, "{}_no_more", self.event);
            self.times = 0;
        }
    }
}

/// The caller as logs name it: `ipv4:127.0.0.1:45286`, `ipv6:%5B::1%5D:47028`.
pub(super) fn peer_name(peer: SocketAddr) -> String {
    // A listener on `::` sees callers by IPv4 as `::ffff:127.0.0.1`.
    let (ip, port) = (peer.ip().to_canonical(), peer.port());
    match ip {
        std::net::IpAddr::V4(ip) => format!("ipv4:{ip}:{port}"),
        std::net::IpAddr::V6(ip) => format!("ipv6:%5B{ip}%5D:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:45286", "ipv4:127.0.0.1:45286")]
    #[case("[::1]:47028", "ipv6:%5B::1%5D:47028")]
    #[case("[::ffff:10.0.0.7]:47028", "ipv4:10.0.0.7:47028")]
    fn peers_are_named_as_grpc_does(#[case] peer: &str, #[case] expected: &str) {
        assert_eq!(peer_name(peer.parse().unwrap()), expected);
    }
}
