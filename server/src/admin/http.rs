//! The HTTP side of health: a small server with short time-outs that one idle connection cannot hold up.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Health;

/// How long a probe may take to send its request, and a connection to live at all.
const REQUEST: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_mins(1);

/// Connections served at a time; further ones wait in the backlog for as long as a request may take.
const MAX_CONNECTIONS: usize = 256;

/// Serves `/live` and `/ready` on a thread of its own, for as long as the process lives: probes see the drain to its end.
///
/// # Errors
/// When the system gives no thread or runtime.
pub(crate) fn serve(listener: TcpListener, health: Health) -> io::Result<()> {
    let listener = listener.into_std()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("health".to_owned()).spawn(move || {
        runtime.block_on(async {
            match TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, health).await,
                Err(error) => tracing::error!(exception = %error, "health_check_failed"),
            }
        });
    })?;
    Ok(())
}

async fn accept(listener: TcpListener, health: Health) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let health = health.clone();
                drop(tokio::spawn(async move {
                    let _ = timeout(CONNECTION, answer_requests(stream, health)).await;
                    drop(slot);
                }));
            }
            Err(error) => {
                tracing::warn!(%error, "accept_failed");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer_requests(stream: TcpStream, health: Health) {
    let service = service_fn(move |request| {
        let response = answer(&request, &health);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    // Who hangs up, or sends something else than HTTP, is no concern of ours.
    let _ = connection.await;
}

fn answer<B>(request: &Request<B>, health: &Health) -> Response<Empty<Bytes>> {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str());
    let healthy = match path {
        "/live" => {
            if let Some(module) = health.stuck() {
                tracing::warn!(module, "unhealthy_module");
            }
            health.is_live()
        }
        "/ready" => health.is_ready(),
        _ => return empty(StatusCode::NOT_FOUND),
    };
    match *request.method() {
        Method::GET | Method::HEAD if healthy => empty(StatusCode::NO_CONTENT),
        Method::GET | Method::HEAD => empty(StatusCode::INTERNAL_SERVER_ERROR),
        _ => empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

fn empty(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::sync::watch;

    use super::super::Pulse;
    use super::*;
    use crate::drain::Phase;

    #[rstest]
    #[case("GET", "/live", Phase::Starting, 204)]
    #[case("GET", "/ready", Phase::Starting, 500)]
    #[case("GET", "/ready", Phase::Serving, 204)]
    #[case("HEAD", "/ready", Phase::Serving, 204)]
    #[case("GET", "/ready", Phase::LameDuck, 500)]
    #[case("GET", "/live", Phase::Closing, 204)]
    #[case("POST", "/live", Phase::Serving, 405)]
    #[case("GET", "/", Phase::Serving, 404)]
    #[case("GET", "/live/", Phase::Serving, 404)]
    #[case("GET", "/live?x=1", Phase::Serving, 404)]
    fn answers(#[case] method: &str, #[case] path: &str, #[case] phase: Phase, #[case] expected: u16) {
        let (_sender, phase) = watch::channel(phase);
        let health = Health::new(phase, vec![Pulse::new("part")]);
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        assert_eq!(answer(&request, &health).status().as_u16(), expected);
    }
}
