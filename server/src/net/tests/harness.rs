//! A port with a service that answers by path, connections to it that need no socket, and clients.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, service_fn};

use crate::admin::Pulse;
use crate::auth::ClientCertificate;
use crate::config::ConnectionSettings;
use crate::drain::Phase;
use crate::net::accept;
use crate::net::connection::Connection;
use crate::net::streams::Asked;
use crate::net::tls::Acceptor;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{ConnectionEnd, Format};

/// Longer than anything takes that works.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// A limit of the server that passes in a test: at once where the clock is paused.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// The size of the parts of `/large`, which never ends.
const PART: usize = 64 * 1024;

/// What a connection in memory holds until its reader takes it.
const LINE: usize = 64 * 1024;

/// Settings without limits that would disturb.
pub(super) fn settings() -> ConnectionSettings {
    ConnectionSettings {
        max: 10_000,
        max_age: None,
        max_age_grace: None,
        keep_alive_interval: None,
        keep_alive_timeout: SOON,
        handshake_timeout: SOON,
        max_header_bytes: 16 * 1024,
        max_concurrent_streams: 1_024,
        stalled_client_timeout: None,
    }
}

/// Settings of a server that finds out soon when a client is gone.
pub(super) fn probing() -> ConnectionSettings {
    ConnectionSettings {
        keep_alive_interval: Some(SHORT),
        keep_alive_timeout: SHORT,
        ..settings()
    }
}

/// A port that is served until it is dropped.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) metrics: Metrics,
    /// Lets one call of `/slow` go on.
    pub(super) go_on: Arc<Notify>,
    pub(super) serving: JoinHandle<()>,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Port {
    pub(super) async fn open(settings: ConnectionSettings, tls: Option<Acceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (phase, phases) = watch::channel(Phase::Serving);
        let metrics = Metrics::new();
        let go_on = Arc::new(Notify::new());
        let pulse = Pulse::new("flight");
        let serving = tokio::spawn(accept::serve(
            listener,
            tls,
            service(&go_on),
            settings,
            metrics.clone(),
            phases,
            pulse,
        ));
        Self {
            address,
            phase,
            metrics,
            go_on,
            serving,
        }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until the server says that it ended so many connections for this reason.
    pub(super) async fn ended(&self, reason: ConnectionEnd, times: usize) {
        shows_ends(&self.metrics, reason, times).await;
    }

    /// Waits until so many connections are open.
    pub(super) async fn has_open(&self, connections: usize) {
        shows(&self.metrics, &format!("flexconnect_connections {connections}.0")).await;
    }
}

/// Connections in memory, for tests whose clock is paused: it goes on only when everybody waits, and nobody waits for a
/// socket.
pub(super) struct Lines {
    settings: Arc<ConnectionSettings>,
    metrics: Metrics,
    phase: watch::Sender<Phase>,
    /// Lets one call of `/slow` go on.
    pub(super) go_on: Arc<Notify>,
}

impl Lines {
    pub(super) fn new(settings: ConnectionSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            metrics: Metrics::new(),
            phase: watch::channel(Phase::Serving).0,
            go_on: Arc::new(Notify::new()),
        }
    }

    /// A connection that is served to its end.
    pub(super) fn connect(&self) -> DuplexStream {
        let (client, server) = tokio::io::duplex(LINE);
        let mut connection = Connection {
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            tls: None,
            service: service(&self.go_on),
            settings: Arc::clone(&self.settings),
            metrics: self.metrics.clone(),
            opened: Phase::Serving,
            phase: self.phase.subscribe(),
        };
        tokio::spawn(async move { connection.greet_and_serve(server, None).await });
        client
    }

    pub(super) async fn client(&self) -> Client {
        Client::over(self.connect()).await.unwrap()
    }

    /// Waits until the server says that it ended so many calls whose client did nothing, and no connection.
    pub(super) async fn stalled(&self, calls: usize) {
        shows(&self.metrics, &format!("flexconnect_stalled_calls_total {calls}.0")).await;
        shows_ends(&self.metrics, ConnectionEnd::Stalled, 0).await;
    }

    /// Waits until the server says that it ended so many connections for this reason.
    pub(super) async fn ended(&self, reason: ConnectionEnd, times: usize) {
        shows_ends(&self.metrics, reason, times).await;
    }
}

async fn shows_ends(metrics: &Metrics, reason: ConnectionEnd, times: usize) {
    let reason = reason.label();
    let line = format!("flexconnect_connections_ended_total{{reason=\"{reason}\"}} {times}.0");
    shows(metrics, &line).await;
}

/// Waits until the metrics have this line.
pub(super) async fn shows(metrics: &Metrics, line: &str) {
    let until = Instant::now() + SOON;
    while !metrics.text(Format::Plain, &[]).lines().any(|it| it == line) {
        assert!(Instant::now() < until, "not in time: {line}");
        sleep(Duration::from_millis(10)).await;
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

fn service(
    go_on: &Arc<Notify>,
) -> impl Service<Request<Asked>, Response = Response<Body>, Error = Infallible, Future = Answering> + Clone + use<> {
    let go_on = Arc::clone(go_on);
    service_fn(move |request| -> Answering { Box::pin(answer(request, Arc::clone(&go_on))) })
}

/// `/large` never ends, `/read` reads its request to the end, `/slow` waits to be told, `/caller` names the client;
/// anything else is answered at once.
async fn answer(request: Request<Asked>, go_on: Arc<Notify>) -> Result<Response<Body>, Infallible> {
    let body = match request.uri().path() {
        "/large" => {
            let parts = futures::stream::repeat(Bytes::from(vec![7; PART]));
            Body::new(StreamBody::new(parts.map(|part| Ok::<_, Status>(Frame::data(part)))))
        }
        "/slow" => {
            go_on.notified().await;
            Body::empty()
        }
        "/read" => {
            let read = request
                .into_body()
                .collect()
                .await
                .map(http_body_util::Collected::to_bytes);
            Body::new(http_body_util::Full::new(read.unwrap()).map_err(|never| match never {}))
        }
        "/caller" => {
            let certificate = request.extensions().get::<Arc<ClientCertificate>>();
            let name = certificate
                .and_then(|certificate| certificate.name())
                .unwrap_or_default();
            Body::new(http_body_util::Full::new(Bytes::from(name)).map_err(|never| match never {}))
        }
        _ => Body::empty(),
    };
    Ok(Response::new(body))
}

/// A client of HTTP/2, and the end of its connection.
pub(super) struct Client {
    pub(super) send: SendRequest<Bytes>,
    pub(super) ended: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub(super) async fn over<Io>(io: Io) -> Result<Self, h2::Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = h2::client::handshake(io).await?;
        Ok(Self {
            send,
            ended: tokio::spawn(connection),
        })
    }

    pub(super) async fn of(port: &Port) -> Self {
        Self::over(port.connect().await).await.unwrap()
    }

    pub(super) async fn start(&mut self, path: &str) -> ResponseFuture {
        self.send(Request::post(format!("http://localhost{path}")).body(()).unwrap())
            .await
    }

    pub(super) async fn send(&mut self, request: Request<()>) -> ResponseFuture {
        let mut ready = self.send.clone().ready().await.unwrap();
        ready.send_request(request, true).unwrap().0
    }

    pub(super) async fn call(&mut self, path: &str) -> Result<StatusCode, h2::Error> {
        let response = self.start(path).await;
        let response = timeout(SOON, response).await.expect("an answer")?;
        Ok(response.status())
    }
}

/// Reads until the server has closed; true when it did.
pub(super) async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest)).await.is_ok()
}

/// A connection whose client has sent the preface and empty settings, and nothing more.
pub(super) async fn greeted<Io: AsyncWrite + Unpin>(mut stream: Io) -> io::Result<Io> {
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    Ok(stream)
}

pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;

/// One frame of HTTP/2.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads one frame: its kind, flags and payload.
pub(super) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(SOON, stream.read_exact(&mut head)).await??;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    timeout(SOON, stream.read_exact(&mut payload)).await??;
    Ok((head[3], head[4], payload))
}
