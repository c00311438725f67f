//! The object itself: what a user writes to get a fleet of FlexConnect servers.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Auth, Autoscaling, DataSource, DisruptionBudget, Exposure, FlexConnectServerStatus, Functions, LocalReference,
    NetworkPolicy, Rollout, ServerContainer, SettingsSource, Tls,
    server::{free_object, free_tables},
};

/// What the fleet shall be.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[kube(
    group = "flexconnect.dev",
    version = "v1alpha1",
    kind = "FlexConnectServer",
    plural = "flexconnectservers",
    shortname = "fcs",
    category = "flexconnect",
    category = "all",
    namespaced,
    doc = "A fleet of FlexConnect servers, reachable by GoodData and registered there as a data source.",
    status = "FlexConnectServerStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        description = "How many replicas are wanted.",
        json_path = ".spec.replicas"
    ),
    printcolumn(
        name = "Available",
        type_ = "integer",
        description = "How many replicas are ready to answer calls.",
        json_path = ".status.readyReplicas"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether every replica is ready.",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#
    ),
    printcolumn(
        name = "Registered",
        type_ = "string",
        description = "Whether every data source in GoodData is as written here.",
        json_path = r#".status.conditions[?(@.type=="Registered")].status"#
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        description = "The URL of the first data source, as registered.",
        json_path = ".status.dataSources[0].url",
        priority = 1
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        description = "How long the object exists.",
        json_path = ".metadata.creationTimestamp"
    ),
    validation = Rule::new("self.metadata.name.size() <= 52 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must have at most 52 characters: lower-case letters, digits and '-', starting with a letter and ending with a letter or digit")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.functions) || (has(self.server) && has(self.server.image))")
        .message("set functions, for functions in Python, or server.image, to an image with functions in it"),
    validation = Rule::new("!(has(self.auth) && has(self.auth.none) && has(self.exposure) && has(self.exposure.via) && has(self.exposure.via.loadBalancer))")
        .message("auth.none lets anybody who reaches the address outside the cluster call the functions: use auth.generated or auth.secret with exposure.via.loadBalancer")
)]
pub struct FlexConnectServerSpec {
    /// How many servers run the functions. 0 stops the fleet: its pods go, its data source stays.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,

    /// Functions in Python, in a container of their own beside the server. Without it the server's image has the functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Functions>,

    /// The container of the server.
    #[serde(default)]
    pub server: ServerContainer,

    /// The Secrets of type `kubernetes.io/dockerconfigjson` with which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub image_pull_secrets: Vec<LocalReference>,

    /// Tables of the server's configuration, by name: free tables for the functions, and `server` and `flexconnect`
    /// for the settings of the server that the operator does not set itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "free_tables")]
    pub settings: BTreeMap<String, Value>,

    /// Settings that nobody else should read. They go before those of `settings`, and later ones before earlier ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub settings_from: Vec<SettingsSource>,

    /// Where the certificates of the replicas come from. Without it they are self-signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,

    /// What the replicas ask of a caller. Without it they ask for a token that the operator generates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,

    /// Under which addresses GoodData reaches the replicas. Without it each replica has a service inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,

    /// How replicas are replaced when their pods change. Without it one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,

    /// The data sources in GoodData that stand for this fleet. Without any, nothing is registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["endpoint".into(), "id".into()]))]
    pub data_sources: Vec<DataSource>,

    /// How many replicas may be taken away at the same time by those who empty nodes. Without it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_budget: Option<DisruptionBudget>,

    /// Has the number of replicas follow the load. `replicas` is then written by the autoscaler: leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// From where the replicas may be reached. Without it from everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,

    /// Labels and annotations (`metadata`) and anything else (`spec`) of the pods, merged over what the operator says as
    /// `kubectl patch` would: containers by their names (`server`, `functions`), volumes by theirs. The last word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "free_object")]
    pub pod_template: Option<Value>,

    /// Has the operator leave the fleet as it is, whatever the rest of the object says. Only the status is written.
    #[serde(default)]
    pub paused: bool,
}

fn one() -> i32 {
    1
}
