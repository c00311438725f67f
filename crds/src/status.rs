//! What the operator found and did.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator found and did.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FlexConnectServerStatus {
    /// The generation of the object that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// How many replicas there are.
    #[serde(default)]
    pub replicas: i32,

    /// How many replicas are ready to answer calls.
    #[serde(default)]
    pub ready_replicas: i32,

    /// The label selector of the pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// The image of the server that the replicas run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_image: Option<String>,

    /// `Ready`: every replica is ready. `Registered`: every data source in GoodData is as written in the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,

    /// The address of each replica.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["replica".into()]))]
    pub endpoints: Vec<EndpointStatus>,

    /// The functions that the fleet serves, as its replicas list them; the first ones, where they are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub functions: Vec<FunctionStatus>,

    /// The token that callers present; nothing when they need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenStatus>,

    /// The data sources in GoodData.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["endpoint".into(), "id".into()]))]
    pub data_sources: Vec<DataSourceStatus>,
}

/// The address of one replica.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EndpointStatus {
    /// The replica's number, counted from 0.
    pub replica: i32,

    /// The URL under which GoodData reaches the replica.
    pub url: String,

    /// Whether the replica is ready to answer calls.
    pub ready: bool,
}

/// How old the token is that callers present.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TokenStatus {
    /// When callers were given this token.
    pub rotated_at: Time,

    /// When the operator replaces it by another one; nothing without `auth.generated.rotateEvery`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,

    /// What a rotation that has begun waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A function that the fleet serves.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FunctionStatus {
    /// The name of the function.
    pub name: String,

    /// The names of its columns, the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub columns: Vec<String>,

    /// What its metadata say that it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One data source in GoodData.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DataSourceStatus {
    /// The id of the data source.
    pub id: String,

    /// The address of the organization.
    pub endpoint: String,

    /// The id of the organization, as it names itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,

    /// Whether the data source is as written in the spec.
    #[serde(default)]
    pub registered: bool,

    /// The URL of the data source: the addresses of the replicas, separated by ';'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,

    /// A hash of what was sent last, secrets included: it tells when something has to be sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,

    /// Why the data source is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// When the data source was last created or changed by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync: Option<Time>,

    /// What GoodData found when it last dialled the replicas, after the last change. `Unknown`: the test itself failed, and
    /// says nothing about the replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_test: Option<ConnectionTest>,

    /// The revision of the replicas that GoodData was last told of, where it keeps results (`cacheStrategy: Always`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_revision: Option<String>,
}

/// What GoodData found when it dialled the replicas.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionTest {
    /// It reached them.
    Succeeded,
    /// It did not.
    Failed,
    /// The test itself failed, or took too long.
    Unknown,
}
