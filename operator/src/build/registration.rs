//! What GoodData shall know of a fleet.

use std::fmt;

use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

use super::tls::CA_KEY;
use super::{Objects, text_of, token};
use crate::exposure::{Endpoint, own_hosts};
use crate::fleet::{DataSource, Exposure, ValidatedFleet};
use crate::registration::Desired;

/// What a caller of the fleet needs besides its address.
#[derive(Clone)]
pub struct Credentials {
    /// The token to present.
    pub token: Option<SecretString>,
    /// The CA (PEM) to trust.
    pub ca_pem: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("ca_pem", &self.ca_pem)
            .finish_non_exhaustive()
    }
}

impl<State> Objects<State> {
    /// What a caller of the fleet needs besides its address.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let text = |secret: Option<&Secret>, key| secret.and_then(|secret| text_of(secret, key)).map(str::to_owned);
        Credentials {
            token: text(self.secrets.token.as_ref(), token::TOKEN_KEY).map(SecretString::from),
            ca_pem: text(self.secrets.tls.as_ref(), CA_KEY),
        }
    }
}

/// A data source as it shall be, with the given replicas behind it.
#[must_use]
pub fn desired(
    fleet: &ValidatedFleet,
    source: &DataSource,
    endpoints: &[Endpoint],
    credentials: Credentials,
) -> Desired {
    let host_template = match &fleet.exposure {
        Exposure::ClusterIp => None,
        Exposure::LoadBalancer { host_template, .. } => Some(host_template.as_str()),
    };
    Desired {
        id: source.id.clone(),
        name: source.name.clone(),
        urls: endpoints.iter().map(Endpoint::url).collect(),
        own_hosts: own_hosts(&fleet.name, &fleet.namespace, host_template),
        token: credentials.token,
        tls_root_certificate_pem: credentials.ca_pem,
        load_balancing: source.load_balancing,
        cache_strategy: source.cache_strategy,
        adoption: source.adoption,
    }
}
