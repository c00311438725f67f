//! Who may call a fleet, and with which certificate it answers.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::SecretKey;

/// Where the certificates of the replicas come from. Set exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.selfSigned) != has(self.disabled)")
        .message("set exactly one of tls.selfSigned and tls.disabled")
)]
pub struct Tls {
    /// The operator makes a CA of this fleet's own and the certificates from it, and renews them in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_signed: Option<SelfSigned>,

    /// The replicas speak plain text. Whoever reads the network reads tokens and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
}

/// A CA of this fleet's own.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct SelfSigned {}

/// No TLS.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct Disabled {}

/// What the replicas ask of a caller. Set exactly one.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.generated), has(self.secret), has(self.none)].filter(set, set).size() == 1")
        .message("set exactly one of auth.generated, auth.secret and auth.none")
)]
pub struct Auth {
    /// The operator generates a token and gives it to the replicas and to GoodData.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,

    /// The token is read from a Secret of yours, in the namespace of the fleet. When it changes there, the replicas accept
    /// both until GoodData has the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretKey>,

    /// Nothing is asked: whoever reaches a replica may call its functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<NoAuth>,
}

/// A token that the operator generates.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Generated {
    /// After which time the token is replaced by another one, at least an hour: `720h`, `30d`. The replicas accept both
    /// until GoodData has the new one, and none of them restarts. Without it the token stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]{1,5}[dhm])+$')").message("rotateEvery must be a time in days, hours or minutes: 30d, 720h"))]
    pub rotate_every: Option<String>,
}

/// No authentication.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct NoAuth {}
