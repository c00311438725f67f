//! The free tables of the configuration, as functions and services read their own settings from them.

use std::any::type_name;
use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// All tables of the configuration, without the server's own secrets.
///
/// Names match without case. Values are never shown, neither in errors nor by `Debug`: they may be secrets.
#[derive(Clone, Default)]
pub struct Tables(Map<String, Value>);

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// It is there, with a value of another type.
    #[error("setting '{path}' is {found}, which cannot be read as {wanted}")]
    Unreadable {
        /// Its section and name.
        path: String,
        /// What it is.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A section has no such setting, and it has no default.
    #[error("section '{section}' has no setting '{name}': add it")]
    Missing {
        /// The section.
        section: String,
        /// The setting.
        name: String,
    },
}

impl Tables {
    /// These tables, by section.
    #[must_use]
    pub const fn new(tables: Map<String, Value>) -> Self {
        Self(tables)
    }

    /// A setting by its path, such as `sales.api_url`; `None` when it is absent or null.
    ///
    /// # Errors
    /// When the setting has another type.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, SettingError> {
        let Some(value) = self.find(path) else { return Ok(None) };
        match T::deserialize(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(SettingError::Unreadable {
                path: path.to_owned(),
                found: kind_of(value),
                wanted: type_name::<T>(),
            }),
        }
    }

    /// A whole section as a type of one's own, its defaults included: a section that is absent is an empty one.
    ///
    /// # Errors
    /// The first setting that is missing, or of another type.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, SettingError> {
        let empty = Value::Object(Map::new());
        let section = self.find(name).unwrap_or(&empty);
        serde_path_to_error::deserialize(section).map_err(|error| {
            let inner = error.path().to_string();
            if let Some(missing) = missing_field(&error.inner().to_string()) {
                let section = if inner == "." {
                    name.to_owned()
                } else {
                    format!("{name}.{inner}")
                };
                return SettingError::Missing { section, name: missing };
            }
            let path = if inner == "." {
                name.to_owned()
            } else {
                format!("{name}.{inner}")
            };
            let found = self.find(&path).map_or("a value", kind_of);
            SettingError::Unreadable {
                path,
                found,
                wanted: type_name::<T>(),
            }
        })
    }

    fn find(&self, path: &str) -> Option<&Value> {
        let mut names = path.split('.');
        let mut value = lookup(&self.0, names.next()?)?;
        for name in names {
            value = lookup(value.as_object()?, name)?;
        }
        Some(value).filter(|value| !value.is_null())
    }
}

/// The name in serde's sentence about a field that is not there. No other sentence of serde is passed on, since others
/// quote the value.
fn missing_field(message: &str) -> Option<String> {
    let name = message.strip_prefix("missing field `")?.split('`').next()?;
    Some(name.to_owned())
}

fn lookup<'a>(table: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    table.get(name).or_else(|| {
        table
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sales {
        api_url: String,
        #[serde(default = "ten")]
        limit: u32,
    }

    const fn ten() -> u32 {
        10
    }

    fn tables() -> Tables {
        let Value::Object(tables) = json!({
            "sales": {"api_url": "https://x", "Limit": 5, "key": {"token": "s3cret"}, "none": null},
            "bad": {"api_url": {"s3cret": 1}},
        }) else {
            panic!("an object")
        };
        Tables::new(tables)
    }

    #[test]
    fn settings_are_found_by_path_without_case() {
        let tables = tables();
        assert_eq!(
            tables.get::<String>("sales.api_url").expect("a string").as_deref(),
            Some("https://x")
        );
        assert_eq!(tables.get::<u32>("SALES.limit").expect("a number"), Some(5));
        assert_eq!(tables.get::<u32>("sales.none").expect("null"), None);
        assert_eq!(tables.get::<u32>("sales.limit.deeper").expect("absent"), None);
        assert_eq!(tables.get::<u32>("other").expect("absent"), None);
    }

    #[test]
    fn a_wrong_type_is_told_without_the_value() {
        let error = tables().get::<u32>("sales.key.token").expect_err("not a number");
        assert_eq!(
            error.to_string(),
            "setting 'sales.key.token' is a string, which cannot be read as u32"
        );
        assert!(!format!("{error:?} {:?}", tables()).contains("s3cret"));
    }

    #[test]
    fn a_section_has_a_type_of_ones_own() {
        let sales: Sales = tables().section("sales").expect("good");
        assert_eq!(sales.api_url, "https://x");
        assert_eq!(sales.limit, ten(), "another spelling is another key of the section");
        let error = tables().section::<Sales>("none").expect_err("api_url has no default");
        assert_eq!(error.to_string(), "section 'none' has no setting 'api_url': add it");
        let error = tables().section::<Sales>("bad").expect_err("no text").to_string();
        assert!(error.starts_with("setting 'bad.api_url' is a table"), "{error}");
        assert!(!error.contains("s3cret"));
    }
}
