//! The connection to the worker, made again for each worker that takes the place of another.

use std::future::Future;
use std::io;
use std::path::PathBuf;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tonic::body::Body;

/// The socket's name, beside the one that workers connect to.
pub(super) const NAME: &str = "methods";

/// Bytes of one answer that wait for a slow client.
const STREAM_WINDOW: u32 = 1 << 20;

/// No limit for all answers together: it would let a few slow clients stop all others.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

const FRAME: u32 = 256 << 10;

/// Trailers as large as pyarrow makes them; clients are told less.
const HEADERS: u32 = 1 << 20;

/// The request was not sent, and is given back.
pub(super) struct Unsent(pub(super) Request<Body>);

/// Connections to the worker: one at a time, for calls of any number.
pub(super) struct Connections {
    socket: PathBuf,
    current: Mutex<Option<(u64, SendRequest<Body>)>>,
}

impl Connections {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            current: Mutex::new(None),
        }
    }

    /// Sends a request to a worker. The future that is returned is its answer.
    pub(super) async fn send(
        &self,
        worker: u64,
        request: Request<Body>,
    ) -> Result<impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<>, Unsent> {
        let Ok(mut connection) = self.to(worker).await else {
            return Err(Unsent(request));
        };
        if connection.ready().await.is_err() {
            return Err(Unsent(request));
        }
        Ok(connection.send_request(request))
    }

    async fn to(&self, worker: u64) -> io::Result<SendRequest<Body>> {
        let mut current = self.current.lock().await;
        if let Some((of, connection)) = &*current
            && *of == worker
            && !connection.is_closed()
        {
            return Ok(connection.clone());
        }
        let stream = UnixStream::connect(&self.socket).await?;
        let (connection, driver) = Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME)
            .max_header_list_size(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // It ends with the last request, or with the worker; calls learn of its errors themselves.
        drop(tokio::spawn(driver));
        *current = Some((worker, connection.clone()));
        Ok(connection)
    }
}
