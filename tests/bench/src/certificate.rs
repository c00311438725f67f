//! A certificate for localhost, and clients that trust it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::PrivatePkcs8KeyDer;

/// What both sides of a TLS connection need.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// PEM of the certificate.
    pub(crate) chain: PathBuf,
    /// PEM of its key.
    pub(crate) key: PathBuf,
    /// Clients that speak HTTP/2 and trust the certificate.
    pub(crate) client: Arc<ClientConfig>,
    /// A server with it, for the limit of TLS itself.
    pub(crate) server: Arc<ServerConfig>,
}

/// Makes a certificate and writes it into this folder.
pub(crate) fn make(folder: &Path) -> anyhow::Result<Certificate> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let (chain, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    fs::write(&chain, cert.pem()).with_context(|| format!("cannot write {}", chain.display()))?;
    fs::write(&key, signing_key.serialize_pem())?;
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let private = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], private.into())?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Certificate {
        chain,
        key,
        client: Arc::new(client),
        server: Arc::new(server),
    })
}
