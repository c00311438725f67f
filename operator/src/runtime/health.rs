//! The health endpoints of the operator: `/healthz` while it runs, `/readyz` once it knows every object.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Set once every object is known.
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

/// Serves the endpoints until `shutdown`.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, ready: Ready, shutdown: CancellationToken) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, router(ready))
        .with_graceful_shutdown(shutdown.cancelled_owned())
        .await
}

fn router(ready: Ready) -> Router {
    let readyz = move || {
        let code = if ready.is_set() {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        std::future::ready(code)
    };
    Router::new()
        .route("/healthz", get(|| async { StatusCode::NO_CONTENT }))
        .route("/readyz", get(readyz))
}
