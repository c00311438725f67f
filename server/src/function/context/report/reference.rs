//! References: to objects of the workspace, and to parts of the same report.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// An object of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
pub struct ObjectRef {
    /// Its identifier.
    pub id: String,
    /// `label`, `attribute`, `dataset`, `fact`, `metric`, …, as sent; empty when it was not.
    #[serde(rename = "type", default)]
    pub kind: String,
}

/// What a filter, or a metric, is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ref {
    /// An object of the workspace.
    Object(ObjectRef),
    /// A part of the same report, by its local identifier.
    Local(String),
}

/// `{"identifier": {"id": …, "type": …}}` or `{"localIdentifier": …}`; the first wins.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    identifier: Option<ObjectRef>,
    #[serde(default)]
    local_identifier: Option<String>,
}

impl<'de> Deserialize<'de> for Ref {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Sent::deserialize(deserializer)? {
            Sent {
                identifier: Some(object),
                local_identifier: _,
            } => Ok(Self::Object(object)),
            Sent {
                identifier: None,
                local_identifier: Some(local),
            } => Ok(Self::Local(local)),
            Sent {
                identifier: None,
                local_identifier: None,
            } => Err(D::Error::custom(
                "invalid ref: it must have an identifier or a localIdentifier",
            )),
        }
    }
}

/// A reference where only an object of the workspace makes sense.
pub(super) fn object<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectRef, D::Error> {
    let sent = Sent::deserialize(deserializer)?;
    sent.identifier
        .ok_or_else(|| D::Error::custom("invalid ref: it must have an identifier"))
}

/// A reference to a metric of the same report.
pub(super) fn locals<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let references = Vec::<LocalRef>::deserialize(deserializer)?;
    Ok(references
        .into_iter()
        .map(|reference| reference.local_identifier)
        .collect())
}

/// As [`locals`], for one.
pub(super) fn local<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    LocalRef::deserialize(deserializer).map(|reference| reference.local_identifier)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocalRef {
    local_identifier: String,
}
