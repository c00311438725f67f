//! TLS of the Flight port: HTTP/2 only, with material that follows its files while the server runs.

mod client;
mod material;
mod name;

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use material::TlsError;
use material::{Contents, Material};

use crate::auth::ClientCertificate;
use crate::config::Tls;
use crate::reload;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Reloaded;

/// The protocol that clients must choose.
const HTTP2: &[u8] = b"h2";

/// Accepts TLS with the material of the moment. Clones share it.
///
/// Certificate, key and client authority are exchanged together, as one configuration with a session store of its own. So
/// a session that an earlier authority let in is not resumed under a new one. Connections that are open stay.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<ArcSwap<ServerConfig>>);

/// Whether the material could be served with.
pub(crate) fn check(tls: &Tls) -> Result<(), TlsError> {
    Material::new(tls, &Contents::read(tls)).map(drop)
}

/// Reads the material. Returns what accepts with it, and a future that follows the files for as long as it is polled.
pub(crate) fn open(
    tls: Tls,
    metrics: Metrics,
) -> Result<(Acceptor, impl Future<Output = ()> + Send + 'static), TlsError> {
    let contents = Contents::read(&tls);
    let material = Material::new(&tls, &contents)?;
    material.announce("tls_loaded", &metrics);
    let acceptor = Acceptor(Arc::new(ArcSwap::new(material.config)));
    let exchanged = acceptor.clone();
    let tls = Arc::new(tls);
    let read = {
        let tls = Arc::clone(&tls);
        move || Contents::read(&tls)
    };
    let following = reload::follow(contents, read, move |contents| match Material::new(&tls, contents) {
        Ok(material) => {
            material.announce("tls_reloaded", &metrics);
            metrics.reloaded(Reloaded::Certificate, true);
            if tls.client_authority.is_some() {
                metrics.reloaded(Reloaded::ClientAuthority, true);
            }
            exchanged.0.store(material.config);
        }
        Err(error) => {
            metrics.reloaded(error.concerns(), false);
            let advice = "connections get the earlier certificate until the files are right";
            tracing::error!(%error, advice, "tls_not_reloaded");
        }
    });
    Ok((acceptor, following))
}

/// Greets a client, and returns who it is where it must show a certificate.
pub(super) async fn handshake(
    acceptor: &Acceptor,
    stream: TcpStream,
    limit: Duration,
) -> io::Result<(TlsStream<TcpStream>, Option<Arc<ClientCertificate>>)> {
    let accept = TlsAcceptor::from(acceptor.0.load_full()).accept(stream);
    let stream = timeout(limit, accept).await??;
    let session = stream.get_ref().1;
    if session.alpn_protocol() != Some(HTTP2) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the client did not ask for HTTP/2 (ALPN h2)",
        ));
    }
    // Certificates were verified; one that cannot be read further leaves a caller without a name.
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let certificate = shown
        .and_then(|certificate| client::describe(certificate))
        .map(Arc::new);
    Ok((stream, certificate))
}

/// Bytes in lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests;
