//! What a function may look at while it loads.

use std::any::type_name;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The configuration of the server, free sections included, and the address it gives to clients.
pub struct LoadContext {
    settings: Map<String, Value>,
    location: String,
}

/// A setting that is there and cannot be used. Its value is not shown: it may be a secret.
#[derive(Debug, thiserror::Error)]
#[error("setting '{path}' is {found}, which cannot be read as {wanted}")]
pub struct SettingError {
    path: String,
    found: &'static str,
    wanted: &'static str,
}

impl LoadContext {
    /// The merged tables of all configuration files and of the environment, and the advertised location.
    #[must_use]
    pub fn new(settings: Map<String, Value>, location: impl Into<String>) -> Self {
        Self {
            settings,
            location: location.into(),
        }
    }

    /// A setting by its path, such as `sales.api_url`; `None` when it is absent or null. Names match without case.
    ///
    /// # Errors
    /// When the setting has another type.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, SettingError> {
        let Some(value) = self.find(path) else { return Ok(None) };
        match T::deserialize(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(SettingError {
                path: path.to_owned(),
                found: kind_of(value),
                wanted: type_name::<T>(),
            }),
        }
    }

    /// Where clients are sent for results, such as `grpc+tls://sales-0.example.com:17001`.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    fn find(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let mut value = lookup(&self.settings, names.next()?)?;
        for name in names {
            value = lookup(value.as_object()?, name)?;
        }
        Some(value).filter(|value| !value.is_null())
    }
}

fn lookup<'a>(table: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    table.get(name).or_else(|| {
        table
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

impl fmt::Debug for LoadContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadContext")
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn context() -> LoadContext {
        let Value::Object(settings) =
            json!({"sales": {"api_url": "https://x", "Limit": 5, "key": {"token": "s3cret"}, "none": null}})
        else {
            panic!("an object")
        };
        LoadContext::new(settings, "grpc://h:1")
    }

    #[test]
    fn settings_are_found_by_path_without_case() {
        assert_eq!(
            context().get::<String>("sales.api_url").expect("a string").as_deref(),
            Some("https://x")
        );
        assert_eq!(context().get::<u32>("SALES.limit").expect("a number"), Some(5));
        assert_eq!(context().get::<u32>("sales.none").expect("null"), None);
        assert_eq!(context().get::<u32>("sales.limit.deeper").expect("absent"), None);
        assert_eq!(context().get::<u32>("other").expect("absent"), None);
    }

    #[test]
    fn a_wrong_type_is_told_without_the_value() {
        let error = context().get::<u32>("sales.key.token").expect_err("not a number");
        assert_eq!(
            error.to_string(),
            "setting 'sales.key.token' is a string, which cannot be read as u32"
        );
        assert!(!format!("{error:?} {:?}", context()).contains("s3cret"));
    }
}
