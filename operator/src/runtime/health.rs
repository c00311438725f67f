//! What the operator tells of itself over HTTP: `/live`, `/ready` and `/metrics`, from a thread of its own that answers
//! when everything else is stuck.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;

/// How often the runtime shows that it runs.
const BEAT: Duration = Duration::from_secs(5);
/// Without a sign of life for this long, the runtime counts as stuck.
const SILENCE: Duration = Duration::from_secs(30);

/// Set once the operator does its part: it leads and knows every object, or stands by.
#[derive(Clone, Debug, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// From now on the operator is ready.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the operator is ready.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The passes that run, and since when.
#[derive(Clone, Debug, Default)]
pub struct Passes(Arc<Mutex<HashMap<u64, (String, Instant)>>>);

/// A pass that runs, until this is dropped.
#[derive(Debug)]
pub struct Running {
    passes: Passes,
    id: u64,
}

impl Passes {
    /// A pass over an object begins.
    #[must_use]
    pub fn begin(&self, object: &str) -> Running {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(id, (object.to_owned(), Instant::now()));
        drop(running);
        Running {
            passes: self.clone(),
            id,
        }
    }

    /// An object whose pass has not ended within this time, though it should.
    fn stuck(&self, limit: Duration) -> Option<String> {
        let running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = running.values();
        running
            .find(|(_, since)| since.elapsed() > limit)
            .map(|(object, _)| object.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = self.passes.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.id);
    }
}

/// What the pages tell.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the operator does its part.
    pub ready: Ready,
    /// The passes that run.
    pub passes: Passes,
    /// How long a pass may take before it counts as stuck.
    pub longest_pass: Duration,
    /// The numbers.
    pub metrics: Metrics,
    beat: Arc<Mutex<Instant>>,
}

impl Health {
    /// Of an operator that begins.
    #[must_use]
    pub fn new(passes: Passes, longest_pass: Duration, metrics: Metrics) -> Self {
        Self {
            ready: Ready::default(),
            passes,
            longest_pass,
            metrics,
            beat: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Shows that the runtime runs, for as long as it does.
    pub async fn beat(&self) {
        loop {
            *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Serves the pages until `shutdown`, from a thread of its own.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn serve(&self, address: SocketAddr, shutdown: CancellationToken) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let router = self.router();
        let serve = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::select! {
                served = axum::serve(listener, router) => served,
                () = shutdown.cancelled() => Ok(()),
            }
        };
        let thread = std::thread::Builder::new().name("health".to_owned());
        thread.spawn(move || {
            if let Err(error) = runtime.block_on(serve) {
                tracing::error!(%error, "health and metrics are not served any more");
            }
        })?;
        Ok(address)
    }

    /// What is stuck; `None`: nothing.
    fn ailment(&self) -> Option<String> {
        let silence = self.beat.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silence > SILENCE {
            return Some(format!("the runtime has not moved for {} s", silence.as_secs()));
        }
        let stuck = self.passes.stuck(self.longest_pass)?;
        Some(format!("the pass over {stuck} does not end"))
    }

    fn router(&self) -> Router {
        let (live, ready, metrics) = (self.clone(), self.ready.clone(), self.metrics.clone());
        let live = move || {
            let answer = match live.ailment() {
                None => (StatusCode::OK, "live\n".to_owned()),
                Some(ailment) => (StatusCode::SERVICE_UNAVAILABLE, format!("{ailment}\n")),
            };
            std::future::ready(answer)
        };
        let ready = move || {
            let answer = if ready.is_set() {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "not every object is known yet\n")
            };
            std::future::ready(answer)
        };
        let metrics = move || {
            let page = ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], metrics.text());
            std::future::ready(page)
        };
        Router::new()
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(address: SocketAddr, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        let answer = client.get(format!("http://{address}/{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn the_pages_tell_what_is() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let passes = Passes::default();
        let health = Health::new(passes.clone(), Duration::ZERO, Metrics::new());
        let shutdown = CancellationToken::new();
        let address = health.serve(([127, 0, 0, 1], 0).into(), shutdown.clone()).unwrap();

        assert_eq!(answer(address, "live").await.0, 200);
        assert_eq!(answer(address, "ready").await.0, 503);
        health.ready.set();
        assert_eq!(answer(address, "ready").await.0, 200);
        let running = passes.begin("sales");
        let (code, text) = answer(address, "live").await;
        assert_eq!((code, text.as_str()), (503, "the pass over sales does not end\n"));
        drop(running);
        assert_eq!(answer(address, "live").await.0, 200);
        *health.beat.lock().unwrap() = Instant::now().checked_sub(Duration::from_secs(31)).unwrap();
        let (code, text) = answer(address, "live").await;
        assert_eq!((code, text.as_str()), (503, "the runtime has not moved for 31 s\n"));
        let (code, text) = answer(address, "metrics").await;
        assert_eq!(code, 200);
        assert!(text.contains("flexconnect_operator_build_info"), "{text}");
        shutdown.cancel();
    }
}
