//! The container of the server.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, ResourceRequirements};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The container of the server, which every replica runs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ServerContainer {
    /// The image of the server; functions in Rust are in it. Without it the one that the fleet runs already
    /// (`status.serverImage`), and at first the one of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^ \\\\t\\\\n]+$')").message("image must not hold white space"))]
    pub image: Option<String>,

    /// What becomes of a fleet without `image` when the operator brings another one. `Manual`: nothing; `WithOperator`: its
    /// replicas are replaced.
    #[serde(default)]
    pub upgrade: Upgrade,

    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`. Without it the cluster decides by the image's tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['Always', 'IfNotPresent', 'Never']").message("imagePullPolicy must be Always, IfNotPresent or Never"))]
    #[schemars(length(max = 12))]
    pub image_pull_policy: Option<String>,

    /// CPU and memory that each replica asks for, and those it may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// Environment variables of the container, for the functions. The variables that the operator sets are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub env: Vec<EnvVar>,

    /// Secrets and `ConfigMaps`, all of whose keys become environment variables of the container. Those that begin with
    /// `GOODDATA_FLIGHT_` go before the settings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub env_from: Vec<EnvFromSource>,
}

/// What becomes of a fleet when the operator brings another image of the server.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing: it goes on with the image that it has.
    #[default]
    Manual,
    /// Its replicas are replaced.
    WithOperator,
}

/// Settings that are kept elsewhere.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SettingsSource {
    /// A Secret in the namespace of the fleet, whose keys are files with tables of settings: `sales.toml`, `sales.yaml` or
    /// `sales.json`. Its changes restart the replicas, one after the other.
    pub secret: LocalReference,
}

/// The name of an object in the namespace of the fleet.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct LocalReference {
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// The schema of an object of any content.
pub(crate) fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// The schema of configuration tables: each is an object, of any content.
pub(crate) fn free_tables(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "type": "object", "x-kubernetes-preserve-unknown-fields": true }
    })
}
