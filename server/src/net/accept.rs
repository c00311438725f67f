//! The accept loop: every connection becomes a task, as many as the configuration allows.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tower::Service;

use super::connection::{Connection, reached};
use super::streams::Asked;
use super::tls::Acceptor;
use crate::admin::Pulse;
use crate::config::ConnectionSettings;
use crate::drain::Phase;
use crate::telemetry::metrics::ConnectionEnd;
use crate::telemetry::{Metrics, RateLimit};

/// How long connections may take to end once nothing is served any more.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long to wait when the system has no more file descriptors.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Lines a second about connections that cannot be had: clients come again and again.
const LOGGED_REFUSALS: u32 = 1;

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
    S: Service<Request<Asked>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = bytes::Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let settings = Arc::new(settings);
    let mut connections = JoinSet::new();
    let (full, failing) = (RateLimit::new(LOGGED_REFUSALS), RateLimit::new(LOGGED_REFUSALS));
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
                    if let Some(suppressed) = full.admit() {
                        tracing::warn!(max_connections = settings.max, suppressed, "connections_full");
                    }
                }
                Ok((stream, peer)) => {
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
                // That client is gone, and others wait.
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    if let Some(suppressed) = failing.admit() {
                        tracing::warn!(%error, suppressed, "accept_failed");
                    }
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

fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
