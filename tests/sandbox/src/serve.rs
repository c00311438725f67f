//! The accept loop: every connection is a task that ends with the sandbox, and that a request may have reset.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Lets a request reset its connection: cancelled, the peer gets a TCP reset and no answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResetHandle(CancellationToken);

impl ResetHandle {
    pub(crate) fn reset(&self) {
        self.0.cancel();
    }
}

/// Serves until dropped; its connections are dropped with it.
pub(crate) async fn serve(listener: TcpListener, router: Router) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve_connection(stream, router.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: give the others time to end.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router) {
    let handle = ResetHandle::default();
    let service = service_fn({
        let handle = handle.clone();
        move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(handle.clone());
            TowerToHyperService::new(router.clone()).call(request)
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = handle.0.cancelled() => None,
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection broke"),
        None => {
            let stream = connection.into_parts().io.into_inner();
            if let Err(error) = stream.set_zero_linger() {
                tracing::warn!(%error, "a connection is closed instead of reset");
            }
        }
    }
}
