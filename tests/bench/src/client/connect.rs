//! One HTTP/2 connection, with windows so large that the client never holds the server up.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::HeaderValue;
use http::uri::{Scheme, Uri};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::call::Method;

const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// The largest HTTP/2 frame that the client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// 16 KiB, HTTP/2's default.
    Small,
    /// 1 MiB.
    Large,
}

impl Frame {
    const fn bytes(self) -> u32 {
        match self {
            Self::Small => 16 << 10,
            Self::Large => 1 << 20,
        }
    }
}

/// Where a server is, and how to speak with it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Its Flight port.
    pub(crate) address: SocketAddr,
    /// What to trust, when it speaks TLS.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// `authorization` of every call.
    pub(crate) authorization: HeaderValue,
}

/// An open connection. Its clones share it.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Bytes>,
    pub(crate) authorization: HeaderValue,
    /// GetFlightInfo and DoGet, in this order.
    pub(crate) addresses: [Uri; 2],
    /// Whether GetFlightInfo may answer that the call is in progress.
    pub(crate) polls: bool,
}

impl Connection {
    /// The same connection for a client that polls.
    pub(crate) fn polling(&self) -> Self {
        Self {
            polls: true,
            ..self.clone()
        }
    }
}

/// Connects; the connection lives on the current runtime.
pub(crate) async fn connect(target: &Target, frame: Frame) -> anyhow::Result<Connection> {
    let stream = TcpStream::connect(target.address)
        .await
        .with_context(|| format!("cannot connect to {}", target.address))?;
    stream.set_nodelay(true)?;
    let (sender, scheme) = match &target.tls {
        None => (handshake(stream, frame).await?, Scheme::HTTP),
        Some(tls) => {
            let name = ServerName::try_from("localhost")?;
            let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
            (handshake(stream, frame).await?, Scheme::HTTPS)
        }
    };
    Ok(Connection {
        sender,
        authorization: target.authorization.clone(),
        addresses: [Method::GetFlightInfo, Method::DoGet].map(|method| method.address(scheme.clone())),
        polls: false,
    })
}

async fn handshake<S>(stream: S, frame: Frame) -> Result<SendRequest<Bytes>, h2::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(frame.bytes())
        .handshake(stream)
        .await?;
    // What breaks the connection breaks the calls on it, which report it.
    tokio::spawn(connection);
    Ok(sender)
}
