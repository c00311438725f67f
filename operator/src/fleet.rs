//! A fleet that cannot be wrong: what `validate` makes of an object, and all that the later steps know of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use flexconnect_crds::{FlexConnectServer, NetworkPolicy};
use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
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
    /// How many of them a roll-out may take away at the same time; at least 1.
    pub max_unavailable: u16,
    /// The functions in Python, if they have a container of their own.
    pub functions: Option<Functions>,
    /// The server of each replica.
    pub container: Container,
    /// The configuration tables of the user, free of what the operator sets.
    pub settings: toml::Table,
    /// Those that came from Secrets.
    pub secret_settings: Option<SecretTable>,
    /// What results may take of the memory, where it follows from limits that the server cannot see.
    pub result_bytes: Option<u64>,
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
    /// How many replicas may be missing on purpose.
    pub budget: Budget,
    /// Who decides about the number of replicas besides the user.
    pub autoscaling: Option<Autoscaling>,
    /// From where the replicas may be reached; None: from everywhere.
    pub network_policy: Option<NetworkPolicy>,
    /// What the user says about pods, to be merged over what the operator says.
    pub pod_template: Option<serde_json::Map<String, serde_json::Value>>,
}

/// How many replicas may be missing on purpose, as a number or a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Budget {
    /// So many may be missing.
    MaxUnavailable(IntOrString),
    /// So many have to be there.
    MinAvailable(IntOrString),
}

/// How the number of replicas follows the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// There are never fewer.
    pub least: u16,
    /// There are never more.
    pub most: u16,
    /// The CPU in use to aim at, in percent of what is asked for.
    pub cpu_utilization: Option<u16>,
    /// The calls that wait in each replica to aim at.
    pub queue_length: Option<u32>,
}

/// The functions in Python of each replica.
#[derive(Clone, Debug)]
pub struct Functions {
    /// The image that they run in.
    pub image: String,
    /// When it is pulled; None: as the cluster decides.
    pub image_pull_policy: Option<String>,
    /// The modules; none: those that the image's configuration names.
    pub modules: Vec<String>,
    /// Where modules are that the image has not.
    pub code: Option<Code>,
    /// Files of the image with settings.
    pub config: Vec<String>,
    /// How many processes; None: as CPUs and memory allow.
    pub workers: Option<u16>,
    /// The user's variables.
    pub env: Vec<EnvVar>,
    /// Where more of them come from.
    pub env_from: Vec<EnvFromSource>,
    /// CPU and memory.
    pub resources: Option<ResourceRequirements>,
}

/// Where modules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// The `ConfigMap` of that name.
    ConfigMap(String),
    /// The claim of that name.
    Claim(String),
    /// An image of files.
    Image {
        /// The image.
        reference: String,
        /// When it is pulled; None: as the cluster decides.
        pull_policy: Option<String>,
    },
}

/// Tables of settings that nobody else should read.
#[derive(Clone)]
pub struct SecretTable(toml::Table);

impl SecretTable {
    /// From tables that were read from a Secret.
    #[must_use]
    pub fn new(table: toml::Table) -> Self {
        Self(table)
    }

    /// The tables, for a Secret.
    #[must_use]
    pub fn expose(&self) -> &toml::Table {
        &self.0
    }
}

impl fmt::Debug for SecretTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretTable").finish_non_exhaustive()
    }
}

/// The server of each replica.
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
    /// Where more of them come from.
    pub env_from: Vec<EnvFromSource>,
}

/// How long a server may need to stop, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// New calls are still served, at most so long.
    pub lame_duck: u64,
    /// They no longer are when none has come for so long.
    pub propagation_delay: u64,
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
    /// A token that the operator generates.
    Generated {
        /// When it is replaced by another one; None: never.
        every: Option<Duration>,
    },
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
