//! Handshakes that do not come, material that changes, and clients that show who they are.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::AbortOnDropHandle;

use super::harness::*;
use crate::config::{ConnectionSettings, Pem, PemText, Source, Tls};
use crate::net::tls;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::ConnectionEnd;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Certificate and key of a name.
    fn leaf(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// The files of a server, as a volume holds them.
struct Files(TempDir);

impl Files {
    fn new(server: &Authority, clients: Option<&Authority>) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write_pair(&server.leaf("localhost"));
        if let Some(clients) = clients {
            files.write("ca.crt", &clients.0.pem());
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn write_pair(&self, (certificate, key): &(String, String)) {
        self.write("tls.crt", certificate);
        self.write("tls.key", key);
    }

    fn tls(&self) -> Tls {
        let pem = |key, name| Pem {
            key,
            source: Source::Unset,
            text: PemText::File(self.path(name)),
        };
        let has_clients = self.path("ca.crt").exists();
        Tls {
            certificate: pem("server.tls_certificate", "tls.crt"),
            private_key: pem("server.tls_private_key", "tls.key"),
            client_authority: has_clients.then(|| pem("server.tls_root_certificate", "ca.crt")),
        }
    }
}

/// A port with the material of these files, which it follows.
struct Encrypted {
    port: Port,
    metrics: Metrics,
    _following: AbortOnDropHandle<()>,
}

impl Encrypted {
    async fn open(files: &Files, settings: ConnectionSettings) -> Self {
        let metrics = Metrics::new();
        let (acceptor, following) = tls::open(files.tls(), metrics.clone()).unwrap();
        Self {
            port: Port::open(settings, Some(acceptor)).await,
            metrics,
            _following: AbortOnDropHandle::new(tokio::spawn(following)),
        }
    }

    async fn reloaded(&self, what: &str, outcome: &str, times: usize) {
        let line = format!("flexconnect_reloads_total{{outcome=\"{outcome}\",what=\"{what}\"}} {times}.0");
        shows(&self.metrics, &line).await;
    }
}

fn trusting(authority: &Authority, identity: Option<(String, String)>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.0.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

async fn greet(port: &Port, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::clone(config))
        .connect(name, port.connect().await)
        .await
}

/// Whether a call comes through. With TLS 1.3 a refused client learns of it with its first call.
async fn is_served(port: &Port, config: &Arc<ClientConfig>) -> bool {
    let Ok(stream) = greet(port, config).await else {
        return false;
    };
    match Client::over(stream).await {
        Ok(mut client) => match client.send.clone().ready().await {
            Ok(_) => client.call("/").await.is_ok(),
            Err(_) => false,
        },
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends() {
    let settings = ConnectionSettings {
        handshake_timeout: SHORT,
        ..settings()
    };
    let encrypted = Encrypted::open(&Files::new(&Authority::new(), None), settings).await;
    assert!(is_closed(&mut encrypted.port.connect().await).await);
    encrypted.port.ended(ConnectionEnd::Handshake, 1).await;
}

#[tokio::test]
async fn the_service_learns_who_the_client_is() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let encrypted = Encrypted::open(&Files::new(&authority, Some(&clients)), settings()).await;
    let config = trusting(&authority, Some(clients.leaf("reports")));
    let mut client = Client::over(greet(&encrypted.port, &config).await.unwrap())
        .await
        .unwrap();
    let mut body = client.start("/caller").await.await.unwrap().into_body();
    let name = body.data().await.unwrap().unwrap();
    assert_eq!(name, "CN=reports");
}

#[tokio::test]
async fn a_new_pair_serves_new_connections_and_leaves_the_old_ones() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old, None);
    let encrypted = Encrypted::open(&files, settings()).await;
    let config = trusting(&old, None);
    let mut client = Client::over(greet(&encrypted.port, &config).await.unwrap())
        .await
        .unwrap();
    assert!(client.call("/").await.is_ok());

    files.write_pair(&new.leaf("localhost"));
    encrypted.reloaded("certificate", "good", 1).await;
    assert!(is_served(&encrypted.port, &trusting(&new, None)).await);
    assert!(!is_served(&encrypted.port, &trusting(&old, None)).await);
    assert!(client.call("/").await.is_ok(), "the connection that was open stays");
}

#[tokio::test]
async fn a_bad_pair_leaves_the_old_one_until_it_is_right() {
    let authority = Authority::new();
    let files = Files::new(&authority, None);
    let encrypted = Encrypted::open(&files, settings()).await;
    let (certificate, key) = authority.leaf("localhost");
    // A certificate without its key, as between two writes of somebody slow.
    files.write("tls.crt", &certificate);
    encrypted.reloaded("certificate", "bad", 1).await;
    assert!(is_served(&encrypted.port, &trusting(&authority, None)).await);
    files.write("tls.key", &key);
    encrypted.reloaded("certificate", "good", 1).await;
    assert!(is_served(&encrypted.port, &trusting(&authority, None)).await);
}

#[tokio::test]
async fn files_that_kubernetes_swaps_are_followed() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old, None);
    // ..data is a link to a folder of one version, the files are links through it.
    for (version, authority) in [("..1", &old), ("..2", &new)] {
        fs::create_dir(files.path(version)).unwrap();
        let (certificate, key) = authority.leaf("localhost");
        fs::write(files.path(version).join("tls.crt"), certificate).unwrap();
        fs::write(files.path(version).join("tls.key"), key).unwrap();
    }
    for name in ["tls.crt", "tls.key"] {
        fs::remove_file(files.path(name)).unwrap();
        std::os::unix::fs::symlink(PathBuf::from("..data").join(name), files.path(name)).unwrap();
    }
    std::os::unix::fs::symlink("..1", files.path("..data")).unwrap();
    let encrypted = Encrypted::open(&files, settings()).await;
    assert!(is_served(&encrypted.port, &trusting(&old, None)).await);
    std::os::unix::fs::symlink("..2", files.path("..data_tmp")).unwrap();
    fs::rename(files.path("..data_tmp"), files.path("..data")).unwrap();
    encrypted.reloaded("certificate", "good", 1).await;
    assert!(is_served(&encrypted.port, &trusting(&new, None)).await);
}

#[tokio::test]
async fn a_session_does_not_outlive_the_authority_that_let_it_in() {
    let (authority, old, new) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new(&authority, Some(&old));
    let encrypted = Encrypted::open(&files, settings()).await;
    // The configuration keeps the session, and would resume it.
    let config = trusting(&authority, Some(old.leaf("reports")));
    assert!(is_served(&encrypted.port, &config).await);
    assert!(is_served(&encrypted.port, &config).await);
    files.write("ca.crt", &new.0.pem());
    encrypted.reloaded("client_authority", "good", 1).await;
    assert!(!is_served(&encrypted.port, &config).await);
    assert!(is_served(&encrypted.port, &trusting(&authority, Some(new.leaf("reports")))).await);
}

#[tokio::test]
async fn an_empty_authority_does_not_open_the_port_to_everybody() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let files = Files::new(&authority, Some(&clients));
    let encrypted = Encrypted::open(&files, settings()).await;
    files.write("ca.crt", "");
    encrypted.reloaded("client_authority", "bad", 1).await;
    assert!(!is_served(&encrypted.port, &trusting(&authority, None)).await);
    assert!(is_served(&encrypted.port, &trusting(&authority, Some(clients.leaf("reports")))).await);
}
