//! The data source in GoodData that stands for a fleet.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A data source in GoodData that stands for this fleet.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.endpoint.startsWith('https://') || (has(self.insecureHttp) && self.insecureHttp && self.endpoint.startsWith('http://'))")
        .message("endpoint must start with https://, or with http:// when insecureHttp is true"),
    validation = Rule::new("!has(self.caSecret) || self.endpoint.startsWith('https://')")
        .message("caSecret is for an endpoint that starts with https://")
)]
pub struct DataSource {
    /// The id of the data source, unique in its organization. Letters, digits, '.', '_' and '-', not starting with '.'.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-][.A-Za-z0-9_-]*$')").message("id must consist of letters, digits, '.', '_' and '-', and must not start with '.'"))]
    pub id: String,

    /// The name that users of GoodData see. Without it the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,

    /// The address of the organization: scheme and host, `https://acme.cloud.gooddata.com`.
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self.matches('^https?://[^/?#@ ]+$')").message("endpoint must be a scheme and a host, without path, query and final slash: https://acme.cloud.gooddata.com"))]
    pub endpoint: String,

    /// The API token of a GoodData user who may manage data sources.
    pub token_secret: SecretKey,

    /// The Host header of the requests, where one address serves several organizations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host_header: Option<String>,

    /// The certificate of the CA (PEM) that signed GoodData's certificate, where the public ones did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret: Option<SecretKey>,

    /// Allows an endpoint without TLS. Whoever reads the network reads the API token.
    #[serde(default)]
    pub insecure_http: bool,

    /// How GoodData spreads its queries over the replicas. `RoundRobin`: one after the other; `Random`: any of them;
    /// `None`: the first, and the next one when it is down.
    #[serde(default)]
    pub load_balancing: LoadBalancing,

    /// Whether GoodData keeps the results of queries. `Never`: each query calls the function; `Always`: results are kept
    /// until GoodData is notified of new data.
    #[serde(default)]
    pub cache_strategy: CacheStrategy,

    /// What becomes of the data source when this object is deleted. `Retain`: it stays, without servers behind it;
    /// `Delete`: it is deleted.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// What to do about a data source that has this id already. `IfOwned`: take it over when it was registered by this
    /// object or its URL names only hosts of this fleet; `Never`: leave it alone, unless it was registered by this
    /// object; `Always`: take it over.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
}

/// A key of a Secret in the namespace of the fleet.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key in the Secret's data.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// How GoodData spreads its queries over the replicas.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBalancing {
    /// One replica after the other.
    #[default]
    RoundRobin,
    /// Any replica.
    Random,
    /// The first replica; the next one when it is down.
    None,
}

/// Whether GoodData keeps the results of queries.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheStrategy {
    /// Each query calls the function.
    #[default]
    Never,
    /// Results are kept until GoodData is notified of new data.
    Always,
}

/// What becomes of a data source when its object is deleted.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It stays, without servers behind it.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
}

/// What to do about a data source that has the id already.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdoptionPolicy {
    /// It is taken over when it was registered by this object, or its URL names only hosts of this fleet.
    #[default]
    IfOwned,
    /// It is left alone, unless it was registered by this object.
    Never,
    /// It is taken over.
    Always,
}
