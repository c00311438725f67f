//! The Secrets that an object names, and the texts in them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use flexconnect_crds::{FlexConnectServerSpec, SecretKey};
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// The longest token that GoodData stores.
const MAX_TOKEN: usize = 10_000;

/// The Secrets that an object names, as they were found.
#[derive(Clone, Default)]
pub struct References {
    secrets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl fmt::Debug for References {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.secrets.keys()).finish()
    }
}

impl FromIterator<Secret> for References {
    fn from_iter<I: IntoIterator<Item = Secret>>(secrets: I) -> Self {
        let entry = |secret: Secret| {
            let data = secret
                .data
                .unwrap_or_default()
                .into_iter()
                .map(|(key, value)| (key, value.0));
            (secret.metadata.name.unwrap_or_default(), data.collect())
        };
        Self {
            secrets: secrets.into_iter().map(entry).collect(),
        }
    }
}

impl References {
    /// The text under a key, without white space around it: files and editors leave line ends behind.
    ///
    /// # Errors
    /// A sentence that names the Secret and the key, never the value.
    pub fn text(&self, key: &SecretKey) -> Result<String, String> {
        let SecretKey { name, key } = key;
        let data = self
            .secrets
            .get(name)
            .ok_or_else(|| format!("there is no Secret {name:?} in the namespace"))?;
        let value = data
            .get(key)
            .ok_or_else(|| format!("the Secret {name:?} has no key {key:?}"))?;
        let text = std::str::from_utf8(value).map_err(|_| format!("the Secret {name:?} has no text under {key:?}"))?;
        match text.trim() {
            "" => Err(format!("the Secret {name:?} has nothing under {key:?}")),
            text => Ok(text.to_owned()),
        }
    }

    /// The token under a key.
    ///
    /// # Errors
    /// As [`text`](Self::text), and when the value cannot travel in a header.
    pub fn token(&self, key: &SecretKey) -> Result<SecretString, String> {
        let text = self.text(key)?;
        let SecretKey { name, key } = key;
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(format!(
                "the Secret {name:?} has characters under {key:?} that a token cannot have"
            ));
        }
        if text.len() > MAX_TOKEN {
            return Err(format!(
                "the Secret {name:?} has more than {MAX_TOKEN} characters under {key:?}"
            ));
        }
        Ok(text.into())
    }
}

/// The names of all Secrets that an object refers to.
#[must_use]
pub fn named_secrets(spec: &FlexConnectServerSpec) -> BTreeSet<&str> {
    let auth = spec.auth.iter().filter_map(|auth| auth.secret.as_ref());
    let sources = spec
        .data_sources
        .iter()
        .flat_map(|source| std::iter::once(&source.token_secret).chain(&source.ca_secret));
    auth.chain(sources).map(|key| key.name.as_str()).collect()
}
