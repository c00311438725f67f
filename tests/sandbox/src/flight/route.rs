//! What a data source says about reaching its servers, read out of its attributes.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;

use crate::data_source::DataSource;

use super::balance::Balancing;
use super::error::QueryError;
use super::target::Target;

/// The certificates that a connection trusts: those of `tlsRootCertificate` as PEM and no others.
pub(crate) type Trust = Option<Arc<[u8]>>;

/// How to reach the servers of a data source.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) targets: Vec<Target>,
    pub(crate) balancing: Balancing,
    pub(crate) trust: Trust,
    pub(crate) token: Option<SecretString>,
}

impl Route {
    pub(crate) fn of(source: &DataSource) -> Result<Self, QueryError> {
        let unusable = |reason: String| QueryError::Unusable {
            id: source.id().to_owned(),
            reason,
        };
        if source.kind() != "FLEXCONNECT" {
            let kind = source.kind();
            return Err(unusable(format!(
                "its type is {kind}, and the sandbox can dial FLEXCONNECT servers only"
            )));
        }
        let url = source.url().ok_or_else(|| unusable("it has no `url`".to_owned()))?;
        let targets: Result<Vec<_>, _> = url.split(';').map(|url| url.trim().parse()).collect();
        Ok(Self {
            targets: targets.map_err(unusable)?,
            balancing: Balancing::parse(source.parameter("loadBalancing")).map_err(unusable)?,
            trust: source
                .parameter("tlsRootCertificate")
                .map(decode_roots)
                .transpose()
                .map_err(unusable)?,
            token: source.token().cloned(),
        })
    }
}

/// The parameter is base64 of the content of a PEM file.
fn decode_roots(parameter: &str) -> Result<Arc<[u8]>, String> {
    let pem = BASE64_STANDARD
        .decode(parameter.trim())
        .map_err(|_| "its `tlsRootCertificate` is not the base64 of a PEM file".to_owned())?;
    let mut certificates = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|error| format!("its `tlsRootCertificate` holds a broken PEM file: {error}"))?;
        certificates += 1;
    }
    if certificates == 0 {
        return Err("its `tlsRootCertificate` holds no certificate: it must be the base64 of a PEM file".to_owned());
    }
    Ok(pem.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::data_source::Changes;

    use super::*;

    fn reason(attributes: &serde_json::Value) -> String {
        let mut source = DataSource::new("a");
        Changes::parse(attributes.as_object().unwrap(), false)
            .unwrap()
            .apply_to(&mut source);
        Route::of(&source).unwrap_err().to_string()
    }

    fn with(name: &str, value: &str) -> serde_json::Value {
        json!({ "type": "FLEXCONNECT", "url": "grpc://a:1;grpc://b:2", "parameters": [{ "name": name, "value": value }] })
    }

    #[test]
    fn names_the_attribute_that_cannot_be_used() {
        assert!(reason(&json!({ "type": "POSTGRESQL", "url": "jdbc:x" })).contains("POSTGRESQL"));
        assert!(reason(&json!({ "type": "FLEXCONNECT" })).contains("`url`"));
        assert!(reason(&json!({ "type": "FLEXCONNECT", "url": "grpc://a:1;b" })).contains("`b` has no scheme"));
        assert!(reason(&with("loadBalancing", "ROUND_ROBIN")).contains("`ROUND_ROBIN`"));
        assert!(reason(&with("tlsRootCertificate", "-----BEGIN")).contains("base64 of a PEM file"));
        assert!(reason(&with("tlsRootCertificate", "aGVsbG8=")).contains("no certificate"));
    }

    #[test]
    fn splits_at_semicolons() {
        let mut source = DataSource::new("a");
        let attributes = json!({ "type": "FLEXCONNECT", "url": "grpc://a:1; grpc+tls://b:2/" });
        Changes::parse(attributes.as_object().unwrap(), false)
            .unwrap()
            .apply_to(&mut source);
        let route = Route::of(&source).unwrap();
        let targets: Vec<_> = route.targets.iter().map(ToString::to_string).collect();
        assert_eq!(targets, ["grpc://a:1", "grpc+tls://b:2"]);
        assert_eq!(route.balancing, Balancing::None);
    }
}
