//! The API of FlexConnect for Kubernetes: the types of `flexconnect.dev/v1alpha1` and the CRD generated from them.
#![allow(
    unreachable_pub,
    reason = "the derive of KubeSchema repeats each type inside a function"
)]

mod data_source;
mod exposure;
mod functions;
mod manifest;
mod operations;
mod rollout;
mod security;
mod server;
mod spec;
mod status;

pub use data_source::{AdoptionPolicy, CacheStrategy, DataSource, DeletionPolicy, LoadBalancing, SecretKey};
pub use exposure::{Addressing, ClusterIp, Exposure, LoadBalancer, Via};
pub use functions::{Claim, Code, CodeImage, Functions};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
pub use manifest::{Manifest, ManifestError};
pub use operations::{Autoscaling, DisruptionBudget, NetworkPolicy};
pub use rollout::Rollout;
pub use security::{Auth, Disabled, Generated, NoAuth, SelfSigned, Tls};
pub use server::{LocalReference, ServerContainer, SettingsSource, Upgrade};
pub use spec::{FlexConnectServer, FlexConnectServerSpec};
pub use status::{
    ConnectionTest, DataSourceStatus, EndpointStatus, FlexConnectServerStatus, FunctionStatus, TokenStatus,
};

/// The finalizer that keeps an object until its data sources are dealt with.
pub const FINALIZER: &str = "flexconnect.dev/data-sources";

/// What stands for the ordinal of a replica in a host template.
pub const REPLICA_PLACEHOLDER: &str = "{replica}";

/// The definition of the API, as the API server takes it.
#[must_use]
pub fn crd() -> CustomResourceDefinition {
    FlexConnectServer::crd()
}

/// The definition of the API as YAML, with the line that tells where it comes from.
///
/// # Errors
/// When the definition cannot be written as YAML, which no input can cause.
pub fn crd_yaml() -> Result<String, serde_yaml::Error> {
    let body = serde_yaml::to_string(&crd())?;
    Ok(format!(
        "# Generated from the types of crds/ by `flexconnect-operator crd`. Do not edit.\n{body}"
    ))
}
