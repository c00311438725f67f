//! Who calls: what authentication found out about the caller of one call.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The caller of one call.
///
/// It is in the request's extensions, and functions read it as `call.identity`. Clones share what is large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The caller's name: the `sub` of a JSON web token, the subject of a certificate, or what a verifier of one's own
    /// says. `None` when the method tells no name, as with a list of tokens.
    pub subject: Option<Arc<str>>,
    /// How the caller proved it.
    pub method: Method,
    /// The certificate that the client showed on its connection, whatever the method is. `None` without mutual TLS.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// How a caller proved who it is.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Method {
    /// Not at all: everybody may call.
    #[default]
    Anonymous,
    /// By a token that a verifier accepted.
    Token,
    /// By a JSON web token. Its signature, issuer, audience and times are as the configuration asks; these are all its
    /// claims.
    Jwt(Arc<Map<String, Value>>),
    /// By the certificate of its connection, and nothing else.
    Certificate,
}

impl Identity {
    /// A caller with a good token, of whom no name is known.
    #[must_use]
    pub fn token() -> Self {
        Self {
            method: Method::Token,
            ..Self::default()
        }
    }

    /// A caller with a good token and this name.
    #[must_use]
    pub fn named(subject: impl Into<Arc<str>>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..Self::token()
        }
    }

    /// The caller behind a connection whose calls carry no token.
    pub(super) fn of_connection(certificate: Option<Arc<ClientCertificate>>) -> Self {
        match certificate {
            None => Self::default(),
            Some(certificate) => Self {
                subject: certificate.name().map(Arc::from),
                method: Method::Certificate,
                certificate: Some(certificate),
            },
        }
    }

    /// A claim of the caller's JSON web token.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        match &self.method {
            Method::Jwt(claims) => claims.get(name),
            Method::Anonymous | Method::Token | Method::Certificate => None,
        }
    }
}

/// Claims are about people, so their values are not shown.
impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("Anonymous"),
            Self::Token => f.write_str("Token"),
            Self::Jwt(claims) => f.debug_tuple("Jwt").field(&claims.keys().collect::<Vec<_>>()).finish(),
            Self::Certificate => f.write_str("Certificate"),
        }
    }
}

/// A client's certificate, verified against `tls_root_certificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The distinguished name as RFC 4514 writes it, as in `CN=reports,O=Example,C=CZ`; may be empty.
    pub subject: String,
    /// The common name in it.
    pub common_name: Option<String>,
    /// The alternative names, in the order of the certificate.
    pub alternative_names: Vec<AlternativeName>,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub fingerprint: String,
}

/// A name beside the subject of a certificate. Kinds that no client is known by are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlternativeName {
    /// A host name.
    Dns(String),
    /// A URI, as in `spiffe://cluster.local/ns/reports/sa/default`.
    Uri(String),
    /// An address of electronic mail.
    Email(String),
    /// An IP address.
    Ip(IpAddr),
}

impl ClientCertificate {
    /// What the caller is called by: the subject, or the first alternative name where there is none.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        if self.subject.is_empty() {
            self.alternative_names.first().map(ToString::to_string)
        } else {
            Some(self.subject.clone())
        }
    }
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(text) | Self::Uri(text) | Self::Email(text) => f.write_str(text),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn certificate(subject: &str, names: Vec<AlternativeName>) -> Arc<ClientCertificate> {
        Arc::new(ClientCertificate {
            subject: subject.to_owned(),
            common_name: None,
            alternative_names: names,
            fingerprint: "00".to_owned(),
        })
    }

    #[test]
    fn a_connection_names_its_caller() {
        assert_eq!(Identity::of_connection(None), Identity::default());
        let uri = AlternativeName::Uri("spiffe://a/b".to_owned());
        let named = Identity::of_connection(Some(certificate("CN=reports", vec![uri.clone()])));
        assert_eq!(named.subject.as_deref(), Some("CN=reports"));
        assert_eq!(named.method, Method::Certificate);
        let nameless = Identity::of_connection(Some(certificate("", vec![uri])));
        assert_eq!(nameless.subject.as_deref(), Some("spiffe://a/b"));
        assert_eq!(Identity::of_connection(Some(certificate("", vec![]))).subject, None);
    }

    #[test]
    fn claims_are_read_and_not_shown() {
        let Value::Object(claims) = json!({"email": "ann@example.com"}) else {
            unreachable!()
        };
        let identity = Identity {
            method: Method::Jwt(Arc::new(claims)),
            ..Identity::named("ann")
        };
        assert_eq!(identity.claim("email"), Some(&json!("ann@example.com")));
        assert_eq!(identity.claim("other"), None);
        assert_eq!(Identity::token().claim("email"), None);
        assert!(!format!("{identity:?}").contains("example.com"));
    }
}
