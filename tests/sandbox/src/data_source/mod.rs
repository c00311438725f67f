//! The data source object: what is stored, what may be written and what is shown.

mod attributes;
mod document;
mod store;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Map, Value};

pub(crate) use attributes::{Changes, Invalid, is_identifier};
pub(crate) use document::{Completeness, parse_document, parse_test_definition};
pub(crate) use store::{Refusal, Rules, Store};

/// A stored data source. Secrets are kept apart from the attributes and never shown, `Debug` included.
#[derive(Clone, Debug)]
pub struct DataSource {
    id: String,
    attributes: BTreeMap<&'static str, Value>,
    secrets: BTreeMap<&'static str, SecretString>,
}

impl DataSource {
    pub(crate) fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            attributes: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    /// The id under which it was created.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The attributes as GET shows them: secrets left out, unset ones absent, `authenticationType` derived.
    #[must_use]
    pub fn attributes(&self) -> Map<String, Value> {
        let mut shown: BTreeMap<_, _> = self
            .attributes
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        if let Some(derived) = self.authentication_type() {
            shown.insert("authenticationType", Value::from(derived));
        }
        shown
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The type of database, `FLEXCONNECT` for those that can be queried here.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }

    /// The URL as it is stored.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.text("url")
    }

    /// The secret that is presented to Flight servers.
    #[must_use]
    pub fn token(&self) -> Option<&SecretString> {
        self.secrets.get("token")
    }

    /// The value of a parameter such as `tlsRootCertificate`; of several with one name, the first.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.attributes.get("parameters")?.as_array()?;
        parameters.iter().find(|parameter| parameter["name"] == name)?["value"].as_str()
    }

    pub(crate) fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    fn authentication_type(&self) -> Option<&'static str> {
        [
            ("password", "USERNAME_PASSWORD"),
            ("token", "TOKEN"),
            ("privateKey", "KEY_PAIR"),
            ("clientSecret", "CLIENT_SECRET"),
        ]
        .into_iter()
        .find_map(|(secret, derived)| self.secrets.contains_key(secret).then_some(derived))
    }
}
