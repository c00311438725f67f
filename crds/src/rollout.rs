//! How replicas are replaced.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How replicas are replaced when their pods change. No query fails: each is taken out of the data sources first, and
/// comes back when its successor answers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How many replicas may be away at the same time. The last one that answers is never among them.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_unavailable: i32,
}

fn one() -> i32 {
    1
}
