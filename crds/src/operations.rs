//! How a fleet is guarded, scaled and watched.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How many replicas may be taken away at the same time by those who empty nodes. Set exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.maxUnavailable) != has(self.minAvailable)")
        .message("set exactly one of disruptionBudget.maxUnavailable and disruptionBudget.minAvailable")
)]
pub struct DisruptionBudget {
    /// So many replicas may be missing, as a number or as a share such as `25%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,

    /// So many replicas have to stay, as a number or as a share such as `75%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_available: Option<IntOrString>,
}

/// Between which bounds the number of replicas follows the load.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.minReplicas <= self.maxReplicas")
        .message("autoscaling.minReplicas must not be more than autoscaling.maxReplicas")
)]
pub struct Autoscaling {
    /// There are never fewer replicas, unless `replicas` is 0.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: u16,

    /// There are never more replicas.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: u16,

    /// The CPU in use, in percent of what the containers ask for, that the number of replicas is chosen for. Without it and
    /// without `queueLength` 70.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_utilization: Option<u16>,

    /// The calls that wait in each replica, that the number of replicas is chosen for. Needs an adapter that offers the
    /// metric `gdfs_task_queue` of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub queue_length: Option<u32>,
}

fn two() -> u16 {
    2
}

/// From where the replicas may be reached; everything else is refused, where the cluster enforces such policies.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicy {
    /// Who may call functions: GoodData, and other clients. The operator may always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub from: Vec<NetworkPolicyPeer>,

    /// Who may read health and metrics. The kubelet may always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub monitoring: Vec<NetworkPolicyPeer>,
}
