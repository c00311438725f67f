//! Certificate, key and client authority: from PEM to what rustls serves with, or to what is wrong with them.

use std::fmt;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use secrecy::{ExposeSecret, SecretSlice};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::HTTP2;
use crate::config::{Pem, PemText, Tls};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{CertificateUse, Reloaded};

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
    Unreadable(String),
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

/// What the settings, or the files that they name, hold at one time.
#[derive(PartialEq)]
pub(super) struct Contents {
    certificate: Text,
    private_key: Text,
    client_authority: Option<Text>,
}

/// The bytes, or why there are none.
struct Text(Result<SecretSlice<u8>, String>);

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Ok(a), Ok(b)) => a.expose_secret() == b.expose_secret(),
            (Err(a), Err(b)) => a == b,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        }
    }
}

impl Text {
    fn read(pem: &Pem) -> Self {
        let read = |bytes: io::Result<Vec<u8>>| bytes.map(SecretSlice::from).map_err(|error| error.to_string());
        Self(match &pem.text {
            PemText::Inline(text) => read(Ok(text.expose_secret().as_bytes().to_vec())),
            PemText::File(path) => read(fs::read(path)),
        })
    }

    fn bytes(&self) -> Result<&[u8], Problem> {
        match &self.0 {
            Ok(bytes) => Ok(bytes.expose_secret()),
            Err(error) => Err(Problem::Unreadable(error.clone())),
        }
    }
}

impl TlsError {
    /// What could not be exchanged.
    pub(super) fn concerns(&self) -> Reloaded {
        if self.key == "server.tls_root_certificate" {
            Reloaded::ClientAuthority
        } else {
            Reloaded::Certificate
        }
    }
}

impl Contents {
    /// Reads the files; blocks.
    pub(super) fn read(tls: &Tls) -> Self {
        Self {
            certificate: Text::read(&tls.certificate),
            private_key: Text::read(&tls.private_key),
            client_authority: tls.client_authority.as_ref().map(Text::read),
        }
    }
}

/// Material that fits together.
pub(super) struct Material {
    pub(super) config: Arc<ServerConfig>,
    /// When the server's certificate ends; `None` when it cannot be told.
    expires: Option<SystemTime>,
    /// When the first of the authorities of clients ends.
    authority_expires: Option<SystemTime>,
}

impl Material {
    /// What serves with these contents. `tls` names the settings in errors.
    pub(super) fn new(tls: &Tls, contents: &Contents) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(&contents.certificate).map_err(|problem| refuse(&tls.certificate, problem))?;
        let expires = chain.first().and_then(expiry);
        let key = private_key(&contents.private_key).map_err(|problem| refuse(&tls.private_key, problem))?;
        let key = pair(chain, key, &provider).map_err(|problem| match problem {
            Problem::Certificate(_) => refuse(&tls.certificate, problem),
            problem => refuse(&tls.private_key, problem),
        })?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| refuse(&tls.certificate, Problem::Certificate(error.to_string())))?;
        let mut authority_expires = None;
        let builder = match (&tls.client_authority, &contents.client_authority) {
            (Some(pem), Some(text)) => {
                let authorities = certificates(text).map_err(|problem| refuse(pem, problem))?;
                authority_expires = authorities.iter().filter_map(expiry).min();
                let verifier = client_verifier(authorities, provider).map_err(|problem| refuse(pem, problem))?;
                builder.with_client_cert_verifier(verifier)
            }
            (None, _) | (Some(_), None) => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        Ok(Self {
            config: Arc::new(config),
            expires,
            authority_expires,
        })
    }

    /// Says in log and metrics that this is what clients get from now on.
    pub(super) fn announce(&self, event: &'static str, metrics: &Metrics) {
        let ends = [
            (CertificateUse::Server, self.expires),
            (CertificateUse::ClientAuthority, self.authority_expires),
        ];
        for (certificate, expires) in ends.into_iter().filter_map(|(of, at)| Some((of, at?))) {
            metrics.certificate_expires(certificate, expires);
            if expires <= SystemTime::now() {
                let advice = "its time is over, and handshakes fail; renew it";
                tracing::warn!(
                    certificate = certificate.label(),
                    expires = text(expires),
                    advice,
                    "certificate_expired"
                );
            }
        }
        tracing::info!(expires = self.expires.map(text), "{event}");
    }
}

fn text(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "beyond all calendars".to_owned(), |time| time.to_string())
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn refuse(pem: &Pem, problem: Problem) -> TlsError {
    let place = match &pem.text {
        PemText::File(path) => format!("{}, {}", path.display(), pem.source),
        PemText::Inline(_) => format!("text {}", pem.source),
    };
    TlsError {
        key: pem.key,
        place,
        problem,
    }
}

fn certificates(text: &Text) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let certificates = CertificateDer::pem_slice_iter(text.bytes()?).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(Problem::NoCertificate),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Problem::Malformed(error.to_string())),
    }
}

fn private_key(text: &Text) -> Result<PrivateKeyDer<'static>, Problem> {
    PrivateKeyDer::from_pem_slice(text.bytes()?).map_err(|error| match error {
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

fn client_verifier(
    authorities: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Problem> {
    let unusable = |error: &dyn std::error::Error| Problem::Certificate(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| unusable(&error))
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
