//! Under which addresses GoodData reaches the replicas.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Under which addresses GoodData reaches the replicas.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// Which addresses there are. `PerReplica`: one for each replica, all of them in the URL of the data source.
    #[serde(default)]
    pub addressing: Addressing,

    /// How an address is made. Without it by a Service of type `ClusterIP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// Which addresses there are.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// One address for each replica.
    #[default]
    PerReplica,
}

/// How an address is made. Set exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.clusterIP) != has(self.loadBalancer)")
        .message("set exactly one of exposure.via.clusterIP and exposure.via.loadBalancer")
)]
pub struct Via {
    /// By a Service of type `ClusterIP` for each replica: for a GoodData in the same cluster.
    #[serde(default, rename = "clusterIP", skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<ClusterIp>,

    /// By a Service of type `LoadBalancer` for each replica: for a GoodData outside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<LoadBalancer>,
}

/// Services of type `ClusterIP`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterIp {}

/// Services of type `LoadBalancer`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// The host under which a replica is reached, with `{replica}` for its number: `sales-{replica}.example.com`.
    /// The names must resolve to the addresses of the Services; external-dns does that with an annotation.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.contains('{replica}')").message("hostTemplate must hold {replica}, so that each replica has a host of its own"))]
    pub host_template: String,

    /// Annotations of each Service, with `{replica}` for the replica's number in their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}
