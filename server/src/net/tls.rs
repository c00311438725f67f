//! TLS of the Flight port: certificate, key and client authority from PEM; HTTP/2 only.

use std::fs;
use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use secrecy::{ExposeSecret, SecretSlice};
use tokio_rustls::TlsAcceptor;

use crate::config::{Pem, PemText, Tls};

/// The protocol that clients must choose.
pub(super) const HTTP2: &[u8] = b"h2";

/// TLS material that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key} ({place}): {problem}")]
pub struct TlsError {
    key: &'static str,
    place: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("there is no certificate in it; it must hold PEM text with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    #[error("there is no private key in it; it must hold PEM text with an unencrypted key")]
    NoKey,
    #[error("it is malformed PEM: {0}")]
    Malformed(String),
    #[error("the key cannot be used: {0}")]
    Key(rustls::Error),
    #[error("the key does not belong to the certificate in server.tls_certificate; configure the pair")]
    Mismatch,
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
}

/// Reads the material and makes an acceptor of it.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let refuse = |pem: &Pem| {
        let place = match &pem.text {
            PemText::File(path) => format!("{}, {}", path.display(), pem.source),
            PemText::Inline(_) => format!("text {}", pem.source),
        };
        let key = pem.key;
        move |problem| TlsError { key, place, problem }
    };
    let certificates = certificates(&tls.certificate).map_err(refuse(&tls.certificate))?;
    let key = private_key(&tls.private_key).map_err(refuse(&tls.private_key))?;
    let key = pair(certificates, key, &provider).map_err(|problem| match problem {
        Problem::Certificate(_) => refuse(&tls.certificate)(problem),
        problem => refuse(&tls.private_key)(problem),
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(&tls.certificate)(Problem::Certificate(error.to_string())))?;
    let builder = match &tls.client_authority {
        None => builder.with_no_client_auth(),
        Some(pem) => builder.with_client_cert_verifier(client_verifier(pem, provider).map_err(refuse(pem))?),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(pem: &Pem) -> Result<SecretSlice<u8>, Problem> {
    match &pem.text {
        PemText::Inline(text) => Ok(text.expose_secret().as_bytes().to_vec().into()),
        PemText::File(path) => Ok(fs::read(path).map_err(Problem::Unreadable)?.into()),
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let bytes = read(pem)?;
    let certificates = CertificateDer::pem_slice_iter(bytes.expose_secret()).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(Problem::NoCertificate),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Problem::Malformed(error.to_string())),
    }
}

fn private_key(pem: &Pem) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_slice(read(pem)?.expose_secret()).map_err(|error| match error {
        PemError::NoItemsFound => Problem::NoKey,
        // What else the error says may quote the text.
        _ => Problem::Malformed("a section is not complete".to_owned()),
    })
}

fn pair(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, Problem> {
    let key = provider.key_provider.load_private_key(key).map_err(Problem::Key)?;
    let pair = CertifiedKey::new(certificates, key);
    match pair.keys_match() {
        // An unknown match is a key that cannot tell its public half; the handshake will show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => Err(Problem::Mismatch),
        Err(error) => Err(Problem::Certificate(error.to_string())),
    }
}

fn client_verifier(pem: &Pem, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let unusable = |error: &dyn std::error::Error| Problem::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(&error))
}

#[cfg(test)]
mod tests;
