//! TLS and mutual TLS of the Flight port.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow_flight::flight_service_client::FlightServiceClient;
use flexconnect_server::{Running, Server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::functions::{Doorman, Numbers};
use super::harness::{SOON, call, read, rows, start};

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key of a name.
    pub(super) fn leaf(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .unwrap()
            .signed_by(&key, &self.0)
            .unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

pub(super) async fn serve(authority: &Authority, more: &str) -> Running {
    let (certificate, key) = authority.leaf("localhost");
    let toml = format!(
        "[server]\nuse_tls = true\nadvertise_host = 'localhost'\n\
         tls_certificate = '''{certificate}'''\ntls_private_key = '''{key}'''\n{more}"
    );
    start(Server::builder().function(Numbers).function(Doorman).build(), &toml).await
}

async fn connect(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> Result<FlightServiceClient<Channel>, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(authority.pem()))
        .domain_name("localhost");
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .unwrap()
        .tls_config(tls)
        .unwrap();
    Ok(FlightServiceClient::new(endpoint.connect().await?))
}

/// Whether a call comes through. With TLS 1.3 a refused client learns of it with its first call.
async fn is_served(address: SocketAddr, authority: &Authority, identity: Option<(String, String)>) -> bool {
    match connect(address, authority, identity).await {
        Ok(mut client) => call(&mut client, "Numbers").await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_encrypted_and_the_location_says_so() {
    let authority = Authority::new();
    let running = serve(&authority, "").await;
    let mut client = connect(running.address(), &authority, None).await.unwrap();
    let info = call(&mut client, "Numbers").await.unwrap();
    assert_eq!(info.endpoint[0].location[0].uri, "grpc+tls://localhost:17001");
    assert_eq!(rows(&read(&mut client, &info).await.unwrap()), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_asks_for_a_certificate_of_the_authority() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let root = format!("use_mtls = true\ntls_root_certificate = '''{}'''", clients.pem());
    let running = serve(&authority, &root).await;
    let address = running.address();
    assert!(is_served(address, &authority, Some(clients.leaf("client"))).await);
    assert!(!is_served(address, &authority, Some(strangers.leaf("client"))).await);
    assert!(!is_served(address, &authority, None).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_know_the_client_by_its_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let root = format!("use_mtls = true\ntls_root_certificate = '''{}'''", clients.pem());
    let running = serve(&authority, &root).await;
    let mut client = connect(running.address(), &authority, Some(clients.leaf("client")))
        .await
        .unwrap();
    let refusal = call(&mut client, "Doorman").await.unwrap_err();
    // The name that rcgen gives to who has none.
    assert!(
        refusal.message().starts_with("not CN=rcgen self signed cert"),
        "{refusal}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_alpn_is_let_go() {
    let authority = Authority::new();
    let running = serve(&authority, "").await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let mut received = Vec::new();
    let ended = timeout(SOON, stream.read_to_end(&mut received)).await.unwrap();
    assert!(ended.is_err() || received.is_empty());
}
