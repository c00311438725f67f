//! Small HTTP servers with short time-outs, on a thread and runtime of their own: they answer when all else is busy, and
//! no idle connection holds them up.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// How long a client may take to send its request, and a connection to live at all.
const REQUEST: Duration = Duration::from_secs(5);
const CONNECTION: Duration = Duration::from_mins(1);

/// Connections served at a time; further ones wait in the backlog for as long as a request may take.
const MAX_CONNECTIONS: usize = 256;

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers the requests of one port.
pub(super) trait Endpoint: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// The thread that serves endpoints. It lives as long as the process: probes see the drain to its end.
#[derive(Clone)]
pub(super) struct Admin {
    runtime: Handle,
}

impl Admin {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread or runtime.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
        Ok(Self { runtime: handle })
    }

    /// Serves one more endpoint.
    ///
    /// # Errors
    /// When the listener cannot change its runtime.
    pub(super) fn serve(&self, listener: TcpListener, endpoint: impl Endpoint) -> io::Result<()> {
        let listener = listener.into_std()?;
        let _within = self.runtime.enter();
        let listener = TcpListener::from_std(listener)?;
        drop(self.runtime.spawn(accept(listener, Arc::new(endpoint))));
        Ok(())
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, endpoint: Arc<impl Endpoint>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let endpoint = Arc::clone(&endpoint);
                drop(tokio::spawn(async move {
                    let _ = timeout(CONNECTION, answer_requests(stream, endpoint)).await;
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

async fn answer_requests(stream: TcpStream, endpoint: Arc<impl Endpoint>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(endpoint.answer(request).await) });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    // Who hangs up, or sends something else than HTTP, is no concern of ours.
    let _ = connection.await;
}

/// An answer without content.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// An answer with content of a type.
pub(super) fn content(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}
