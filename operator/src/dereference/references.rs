//! What an object refers to: Secrets, the texts in them, and the image of servers that it leaves to the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use flexconnect_crds::{FlexConnectServerSpec, SecretKey};
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// The longest token that GoodData stores.
const MAX_TOKEN: usize = 10_000;

/// The image of servers that came out together with this operator; releases name one by the variable of the same name.
pub const SERVER_IMAGE: &str = match option_env!("FLEXCONNECT_SERVER_IMAGE") {
    Some(image) => image,
    None => concat!("flexconnect-server:", env!("CARGO_PKG_VERSION")),
};

/// What an object refers to, as it was found.
#[derive(Clone)]
pub struct References {
    secrets: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    server_image: String,
}

impl Default for References {
    fn default() -> Self {
        std::iter::empty().collect()
    }
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
            server_image: SERVER_IMAGE.to_owned(),
        }
    }
}

impl References {
    /// With another image for servers that name none.
    #[must_use]
    pub fn with_server_image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.server_image);
        self
    }

    /// The image of servers that name none.
    #[must_use]
    pub fn server_image(&self) -> &str {
        &self.server_image
    }

    /// Everything that a Secret holds.
    ///
    /// # Errors
    /// A sentence that names the Secret.
    pub fn files(&self, name: &str) -> Result<&BTreeMap<String, Vec<u8>>, String> {
        let data = self.secrets.get(name);
        data.ok_or_else(|| format!("there is no Secret {name:?} in the namespace"))
    }

    /// The text under a key, without white space around it: files and editors leave line ends behind.
    ///
    /// # Errors
    /// A sentence that names the Secret and the key, never the value.
    pub fn text(&self, key: &SecretKey) -> Result<String, String> {
        let SecretKey { name, key } = key;
        let value = self
            .files(name)?
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
    let settings = spec.settings_from.iter().map(|source| source.secret.name.as_str());
    let sources = spec
        .data_sources
        .iter()
        .flat_map(|source| std::iter::once(&source.token_secret).chain(&source.ca_secret));
    auth.chain(sources)
        .map(|key| key.name.as_str())
        .chain(settings)
        .collect()
}
