//! The data sources of a fleet. What is wrong with a credential is kept beside it: the fleet runs without GoodData.

use std::collections::BTreeSet;

use flexconnect_crds as crd;

use super::{Errors, validate_secret_key};
use crate::dereference::References;
use crate::fleet::DataSource;
use crate::registration::{Adoption, CacheStrategy, Connection, LoadBalancing};

pub(super) fn validate(sources: &[crd::DataSource], references: &References, errors: &mut Errors) -> Vec<DataSource> {
    let mut seen = BTreeSet::new();
    let mut valid = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        let at = |field: &str| format!("spec.dataSources[{index}].{field}");
        if !seen.insert((source.endpoint.trim_end_matches('/'), source.id.as_str())) {
            errors.field(at("id"), format!("{:?} is given twice for this endpoint", source.id));
        }
        if !is_id(&source.id) {
            errors.field(
                at("id"),
                "must consist of at most 255 letters, digits, '.', '_' and '-', and must not start with '.'",
            );
        }
        let name = source.name.as_ref().unwrap_or(&source.id);
        if name.is_empty() || name.chars().count() > 255 {
            errors.field(at("name"), "must have 1 to 255 characters");
        }
        if let Some(message) = endpoint_error(&source.endpoint, source.insecure_http) {
            errors.field(at("endpoint"), message);
        }
        if source.ca_secret.is_some() && !source.endpoint.starts_with("https://") {
            errors.field(at("caSecret"), "is for an endpoint that starts with https://");
        }
        if let Some(header) = &source.host_header
            && (header.is_empty() || header.len() > 253 || header.bytes().any(|byte| !byte.is_ascii_graphic()))
        {
            errors.field(at("hostHeader"), format!("{header:?} is not a host"));
        }
        validate_secret_key(&at("tokenSecret"), &source.token_secret, errors);
        if let Some(key) = &source.ca_secret {
            validate_secret_key(&at("caSecret"), key, errors);
        }
        valid.push(DataSource {
            id: source.id.clone(),
            name: name.clone(),
            endpoint: source.endpoint.clone(),
            connection: connection(source, references),
            load_balancing: match source.load_balancing {
                crd::LoadBalancing::RoundRobin => LoadBalancing::RoundRobin,
                crd::LoadBalancing::Random => LoadBalancing::Random,
                crd::LoadBalancing::None => LoadBalancing::None,
            },
            cache_strategy: match source.cache_strategy {
                crd::CacheStrategy::Never => CacheStrategy::Never,
                crd::CacheStrategy::Always => CacheStrategy::Always,
            },
            adoption: match source.adoption_policy {
                crd::AdoptionPolicy::IfOwned => Adoption::IfOwned,
                crd::AdoptionPolicy::Never => Adoption::Never,
                crd::AdoptionPolicy::Always => Adoption::Always,
            },
        });
    }
    valid
}

/// How to reach the organization of a data source.
///
/// # Errors
/// A sentence about the Secret that is missing or cannot be used.
pub(crate) fn connection(source: &crd::DataSource, references: &References) -> Result<Connection, String> {
    let token = references.token(&source.token_secret)?;
    let ca_pem = source.ca_secret.as_ref().map(|key| references.text(key)).transpose()?;
    Ok(Connection {
        endpoint: source.endpoint.clone(),
        host_header: source.host_header.clone(),
        ca_pem,
        token,
        insecure_http: source.insecure_http,
    })
}

fn is_id(id: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=255).contains(&id.len()) && id.bytes().all(inner) && !id.starts_with('.')
}

fn endpoint_error(endpoint: &str, insecure_http: bool) -> Option<&'static str> {
    let host = endpoint
        .strip_prefix("https://")
        .or_else(|| endpoint.strip_prefix("http://").filter(|_| insecure_http));
    let Some(host) = host else {
        return Some("must start with https://, or with http:// when insecureHttp is true");
    };
    let outside_host = |character: char| "/?#@".contains(character) || !character.is_ascii_graphic();
    (host.is_empty() || endpoint.len() > 255 || host.contains(outside_host))
        .then_some("must be a scheme and a host, without path, query and final slash: https://acme.cloud.gooddata.com")
}
