//! What a function may look at while it loads.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::{SettingError, Tables};

/// The configuration of the server, free sections included, and the address it gives to clients.
pub struct LoadContext {
    settings: Tables,
    location: String,
}

impl LoadContext {
    /// The merged tables of all configuration files and of the environment, and the advertised location.
    #[must_use]
    pub fn new(settings: Map<String, Value>, location: impl Into<String>) -> Self {
        Self {
            settings: Tables::new(settings),
            location: location.into(),
        }
    }

    /// A setting by its path, such as `sales.api_url`; `None` when it is absent or null. Names match without case.
    ///
    /// # Errors
    /// When the setting has another type.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, SettingError> {
        self.settings.get(path)
    }

    /// A whole section as a type of one's own, its defaults included: a section that is absent is an empty one.
    ///
    /// # Errors
    /// The first setting that is missing, or of another type.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, SettingError> {
        self.settings.section(name)
    }

    /// Where clients are sent for results, such as `grpc+tls://sales-0.example.com:17001`.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }
}

impl fmt::Debug for LoadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadContext")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
