//! The build step: from a validated fleet to every object it consists of. Pure, except for the random bits of new keys.

mod config;
mod functions;
#[cfg(test)]
mod functions_tests;
mod merge;
#[cfg(test)]
mod operations_tests;
mod policies;
mod registration;
mod services;
mod settings;
mod stateful_set;
#[cfg(test)]
mod tests;
mod tls;
mod token;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

pub use config::{CONFIG_KEY, SETTINGS_KEY, TOKENS_KEY};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
pub(crate) use merge::{DIRECTIVE, key_of};
pub use policies::Policies;
pub use registration::{Credentials, desired};
pub use services::replicas as replica_services;
pub use stateful_set::rolled;
pub use tls::{CA_KEY, CERTIFICATE_KEY, PRIVATE_KEY, TlsError};
pub use token::{read as read_tokens, secret as token_secret};

use crate::fleet::ValidatedFleet;

/// The label with the name of the application.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";
/// The label with the name of the fleet.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// The label of everything that the operator makes.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// The annotation of the `StatefulSet` with the digest of the template that the pods are to be made from.
pub const TEMPLATE_ANNOTATION: &str = "flexconnect.dev/template";
/// The application.
pub const APPLICATION: &str = "flexconnect-server";
/// The operator.
pub const OPERATOR: &str = "flexconnect-operator";

/// The objects were built, and not sent yet.
#[derive(Clone, Copy, Debug)]
pub enum Prepared {}

/// The objects are what the API server answered.
#[derive(Clone, Copy, Debug)]
pub enum Applied {}

/// Every object that a fleet consists of, in the order in which they are needed.
pub struct Objects<State> {
    /// Those that hold secrets.
    pub secrets: Secrets,
    /// The server's configuration.
    pub config: ConfigMap,
    /// The names of the pods in DNS.
    pub headless_service: Service,
    /// One Service in front of each replica.
    pub replica_services: Vec<Service>,
    /// What guards and scales the replicas.
    pub policies: Policies,
    /// The replicas. Last, so that a pod never starts before what it mounts.
    pub stateful_set: StatefulSet,
    state: PhantomData<State>,
}

impl Objects<Applied> {
    /// What the API server answered, for each object that was prepared.
    #[must_use]
    pub fn applied(
        secrets: Secrets,
        config: ConfigMap,
        headless_service: Service,
        replica_services: Vec<Service>,
        policies: Policies,
        stateful_set: StatefulSet,
    ) -> Self {
        Self {
            secrets,
            config,
            headless_service,
            replica_services,
            policies,
            stateful_set,
            state: PhantomData,
        }
    }
}

impl<State> fmt::Debug for Objects<State> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Objects")
            .field("config", &self.config)
            .field("headless_service", &self.headless_service)
            .field("replica_services", &self.replica_services)
            .field("policies", &self.policies)
            .field("stateful_set", &self.stateful_set)
            .finish_non_exhaustive()
    }
}

/// The Secrets that the operator writes. Those of an earlier pass are built upon: keys and tokens stay as long as they
/// are good.
#[derive(Clone, Default)]
pub struct Secrets {
    /// The fleet's CA; mounted nowhere.
    pub ca: Option<Secret>,
    /// The certificate and key of the replicas, and the CA's certificate.
    pub tls: Option<Secret>,
    /// The token that callers present.
    pub token: Option<Secret>,
    /// Settings that came from Secrets.
    pub settings: Option<Secret>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Secrets")
            .field("ca", &self.ca.is_some())
            .field("tls", &self.tls.is_some())
            .field("token", &self.token.is_some())
            .field("settings", &self.settings.is_some())
            .finish()
    }
}

/// Builds every object of a fleet.
///
/// `serving` is the number of replicas that still run; those beyond the wanted ones drain, and keep their Service for
/// that long. The same input gives the same objects, unless a key or a token has to be made.
///
/// # Errors
/// When a key or a certificate cannot be made, which no fleet can cause.
pub fn build(
    fleet: &ValidatedFleet,
    kept: &Secrets,
    serving: u16,
    now: Timestamp,
) -> Result<Objects<Prepared>, TlsError> {
    let chain = tls::chain(fleet, kept, now)?;
    let token = token::token(fleet, kept.token.as_ref(), now);
    let settings = settings::secret(fleet, kept.settings.as_ref());
    let config = config::config_map(fleet);
    let causes = stateful_set::RestartCauses {
        config: config::digest(&config),
        certificate: chain.as_ref().map(tls::Chain::identity),
        settings: settings.as_ref().map(settings::digest),
    };
    let (ca, tls) = chain.map(|chain| chain.into_secrets(fleet)).unzip();
    Ok(Objects {
        secrets: Secrets {
            ca,
            tls,
            token,
            settings,
        },
        config,
        headless_service: services::headless(fleet),
        replica_services: services::replicas(fleet, serving),
        policies: policies::policies(fleet),
        stateful_set: stateful_set::stateful_set(fleet, &causes),
        state: PhantomData,
    })
}

/// The labels of every child.
fn labels(fleet: &ValidatedFleet) -> BTreeMap<String, String> {
    let mut labels = selector(fleet);
    labels.insert(MANAGED_BY_LABEL.to_owned(), OPERATOR.to_owned());
    labels
}

/// The labels that find the pods of a fleet. They never change: a `StatefulSet` cannot change its selector.
#[must_use]
pub fn selector(fleet: &ValidatedFleet) -> BTreeMap<String, String> {
    BTreeMap::from([
        (NAME_LABEL.to_owned(), APPLICATION.to_owned()),
        (INSTANCE_LABEL.to_owned(), fleet.name.to_string()),
    ])
}

/// The metadata of a child.
fn metadata(fleet: &ValidatedFleet, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(fleet.namespace.to_string()),
        labels: Some(labels(fleet)),
        owner_references: fleet.owner_reference().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// The text under a key of a Secret.
fn text_of<'a>(secret: &'a Secret, key: &str) -> Option<&'a str> {
    std::str::from_utf8(&secret.data.as_ref()?.get(key)?.0).ok()
}
