//! A fleet that cannot be wrong: what `validate` makes of an object, and all that the later steps know of it.

use std::collections::BTreeMap;

use flexconnect_crds::FlexConnectServer;
use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use secrecy::SecretString;

use crate::names::{FleetName, Namespace, Ordinal};
use crate::registration::{Adoption, CacheStrategy, Connection, LoadBalancing};

/// A fleet that cannot be wrong.
#[derive(Clone, Debug)]
pub struct ValidatedFleet {
    /// The name of the object.
    pub name: FleetName,
    /// Where it lives.
    pub namespace: Namespace,
    /// The object's uid, which owns every child. None for a fleet of local processes.
    pub uid: Option<String>,
    /// How many replicas shall run; 0 to 1000.
    pub replicas: u16,
    /// What each replica runs.
    pub container: Container,
    /// The configuration tables of the user, free of what the operator sets.
    pub settings: toml::Table,
    /// How long a server may need to stop, from the settings.
    pub drain: Drain,
    /// How the replicas prove who they are.
    pub tls: Tls,
    /// What the replicas ask of a caller.
    pub auth: Auth,
    /// How the replicas are reached.
    pub exposure: Exposure,
    /// The data sources to keep registered.
    pub data_sources: Vec<DataSource>,
}

/// What each replica runs.
#[derive(Clone, Debug)]
pub struct Container {
    /// The image.
    pub image: String,
    /// When it is pulled; None: as the cluster decides.
    pub image_pull_policy: Option<String>,
    /// The names of the Secrets to pull it with.
    pub image_pull_secrets: Vec<String>,
    /// CPU and memory.
    pub resources: Option<ResourceRequirements>,
    /// The user's variables.
    pub env: Vec<EnvVar>,
}

/// How long a server may need to stop, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// New calls are still served.
    pub lame_duck: u64,
    /// Running calls and unread results are waited for.
    pub timeout: u64,
}

impl Drain {
    /// The grace period of the pods: both phases, and 15 seconds to end the process.
    #[must_use]
    pub fn grace_period(self) -> u64 {
        self.lame_duck + self.timeout + 15
    }
}

/// How the replicas prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate from a CA of this fleet's own.
    SelfSigned,
    /// Not at all.
    Disabled,
}

/// What the replicas ask of a caller.
#[derive(Clone, Debug)]
pub enum Auth {
    /// The token that the operator generates.
    Generated,
    /// The token of the user's Secret.
    Given(SecretString),
    /// Nothing.
    None,
}

/// How the replicas are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Inside the cluster, by the names of their Services.
    ClusterIp,
    /// From outside, by a load balancer each.
    LoadBalancer {
        /// The host, with `{replica}` in it.
        host_template: String,
        /// Annotations of the Services, with `{replica}` in their values.
        annotations: BTreeMap<String, String>,
    },
}

/// A data source to keep registered.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// Its id.
    pub id: String,
    /// What users see.
    pub name: String,
    /// The organization's address.
    pub endpoint: String,
    /// How to reach GoodData, or why that is not known: then the fleet runs, and this data source waits.
    pub connection: Result<Connection, String>,
    /// How GoodData spreads its queries.
    pub load_balancing: LoadBalancing,
    /// Whether GoodData keeps results.
    pub cache_strategy: CacheStrategy,
    /// What happens when the id exists already.
    pub adoption: Adoption,
}

impl ValidatedFleet {
    /// The replicas, in order.
    pub fn ordinals(&self) -> impl Iterator<Item = Ordinal> + use<> {
        (0..self.replicas).map(Ordinal)
    }

    /// What makes a child belong to this fleet.
    #[must_use]
    pub fn owner_reference(&self) -> Option<OwnerReference> {
        Some(OwnerReference {
            api_version: FlexConnectServer::api_version(&()).into_owned(),
            kind: FlexConnectServer::kind(&()).into_owned(),
            name: self.name.to_string(),
            uid: self.uid.clone()?,
            controller: Some(true),
            block_owner_deletion: Some(true),
        })
    }
}
