//! The attributes of a data source, one line each, and the checks that a written value must pass.

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::DataSource;

/// Why a body is refused with 400; shown as the problem's `detail`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) String);

/// The types of database that GoodData knows.
const TYPES: &[&str] = &[
    "POSTGRESQL",
    "REDSHIFT",
    "VERTICA",
    "SNOWFLAKE",
    "ADS",
    "BIGQUERY",
    "MSSQL",
    "PRESTO",
    "DREMIO",
    "AZURESQL",
    "SYNAPSESQL",
    "DATABRICKS",
    "GDSTORAGE",
    "CLICKHOUSE",
    "MYSQL",
    "MARIADB",
    "ORACLE",
    "PINOT",
    "SINGLESTORE",
    "MOTHERDUCK",
    "FLEXCONNECT",
    "STARROCKS",
    "ATHENA",
    "MONGODB",
    "CRATEDB",
    "AILAKEHOUSE",
    "DENODO",
];
const AUTHENTICATION_TYPES: &[&str] = &[
    "USERNAME_PASSWORD",
    "TOKEN",
    "KEY_PAIR",
    "CLIENT_SECRET",
    "OIDC_PASSTHROUGH",
];

/// The types for which `dateTimeSemantics` means something.
const WITH_DATE_TIME_SEMANTICS: &[&str] = &["STARROCKS", "AILAKEHOUSE"];

struct Attribute {
    name: &'static str,
    required: bool,
    shape: Shape,
}

#[derive(Clone, Copy)]
enum Shape {
    /// At most that many characters.
    Text(usize),
    /// The same, stored apart and never shown.
    Secret(usize),
    OneOf(&'static [&'static str]),
    Identifier,
    Parameters,
    CacheRetention,
}

const fn required(name: &'static str, shape: Shape) -> Attribute {
    Attribute {
        name,
        required: true,
        shape,
    }
}

const fn optional(name: &'static str, shape: Shape) -> Attribute {
    Attribute {
        name,
        required: false,
        shape,
    }
}

/// Everything a client may write. What it sends beyond this (`decodedParameters`, say) is ignored, as GoodData does.
const ATTRIBUTES: &[Attribute] = &[
    required("name", Shape::Text(255)),
    required("type", Shape::OneOf(TYPES)),
    required("schema", Shape::Text(255)),
    optional("url", Shape::Text(255)),
    optional("username", Shape::Text(255)),
    optional("clientId", Shape::Text(255)),
    optional("token", Shape::Secret(10_000)),
    optional("password", Shape::Secret(255)),
    optional("privateKey", Shape::Secret(15_000)),
    optional("privateKeyPassphrase", Shape::Secret(255)),
    optional("clientSecret", Shape::Secret(255)),
    optional("authenticationType", Shape::OneOf(AUTHENTICATION_TYPES)),
    optional("parameters", Shape::Parameters),
    optional("cacheStrategy", Shape::OneOf(&["ALWAYS", "NEVER"])),
    optional("cacheRetention", Shape::CacheRetention),
    optional("alternativeDataSourceId", Shape::Identifier),
    optional("dateTimeSemantics", Shape::OneOf(&["LOCAL", "UTC"])),
];

/// Checked new values of attributes, to be applied to a data source as one.
#[derive(Debug, Default)]
pub(crate) struct Changes(Vec<(&'static str, Change)>);

#[derive(Debug)]
enum Change {
    Set(Value),
    SetSecret(SecretString),
    Unset,
}

impl Changes {
    /// Checks `attributes` one by one; `complete` also asks for the required ones.
    pub(crate) fn parse(attributes: &Map<String, Value>, complete: bool) -> Result<Self, Invalid> {
        let mut changes = Vec::new();
        for Attribute { name, required, shape } in ATTRIBUTES {
            let change = match attributes.get(*name) {
                None if *required && complete => return Err(Invalid(format!("Attribute '{name}' is required."))),
                None => continue,
                Some(Value::Null) if *required => return Err(Invalid(format!("Attribute '{name}' must not be null."))),
                Some(Value::Null) => Change::Unset,
                Some(value) => check(name, *shape, value)?,
            };
            changes.push((*name, change));
        }
        Ok(Self(changes))
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|(changed, _)| *changed == name)
    }

    pub(crate) fn apply_to(self, source: &mut DataSource) {
        for (name, change) in self.0 {
            match change {
                Change::Set(value) => drop(source.attributes.insert(name, value)),
                Change::SetSecret(secret) => drop(source.secrets.insert(name, secret)),
                Change::Unset => {
                    source.attributes.remove(name);
                    source.secrets.remove(name);
                }
            }
        }
    }
}

fn check(name: &str, shape: Shape, value: &Value) -> Result<Change, Invalid> {
    match shape {
        Shape::Text(limit) => bounded_text(name, value, limit).map(|_| Change::Set(value.clone())),
        Shape::Secret(limit) => {
            bounded_text(name, value, limit).map(|text| Change::SetSecret(SecretString::from(text)))
        }
        Shape::OneOf(allowed) => match value.as_str() {
            Some(text) if allowed.contains(&text) => Ok(Change::Set(value.clone())),
            _ => Err(Invalid(format!(
                "Attribute '{name}' must be one of {}.",
                allowed.join(", ")
            ))),
        },
        Shape::Identifier => match value.as_str() {
            Some(text) if is_identifier(text) => Ok(Change::Set(value.clone())),
            _ => Err(Invalid(format!("Attribute '{name}' is not a valid identifier."))),
        },
        Shape::Parameters => parameters(value).map(Change::Set),
        Shape::CacheRetention => cache_retention(value).map(|()| Change::Set(value.clone())),
    }
}

fn bounded_text<'a>(name: &str, value: &'a Value, limit: usize) -> Result<&'a str, Invalid> {
    let text = value
        .as_str()
        .ok_or_else(|| Invalid(format!("Attribute '{name}' must be a string.")))?;
    let length = text.chars().count();
    if length > limit {
        return Err(Invalid(format!(
            "Attribute '{name}' has {length} characters, at most {limit} are allowed."
        )));
    }
    Ok(text)
}

fn parameters(value: &Value) -> Result<Value, Invalid> {
    let invalid = || Invalid("Attribute 'parameters' must be an array of objects with 'name' and 'value'.".to_owned());
    let mut checked = Vec::new();
    for parameter in value.as_array().ok_or_else(invalid)? {
        let name = parameter["name"].as_str().ok_or_else(invalid)?;
        let value = parameter["value"].as_str().ok_or_else(invalid)?;
        checked.push(serde_json::json!({ "name": name, "value": value }));
    }
    Ok(Value::from(checked))
}

fn cache_retention(value: &Value) -> Result<(), Invalid> {
    let fits = match value["type"].as_str() {
        Some("INDEFINITE") => true,
        Some("VALIDITY_PERIOD") => value["validityPeriod"]
            .as_str()
            .is_some_and(|period| period.parse::<jiff::Span>().is_ok()),
        Some("SCHEDULE") => value["schedule"]["cron"]
            .as_str()
            .is_some_and(|cron| cron.split(' ').count() == 6),
        _ => false,
    };
    fits.then_some(()).ok_or_else(|| {
        Invalid(
            "Attribute 'cacheRetention' must be of type INDEFINITE, VALIDITY_PERIOD with an ISO 8601 \
             'validityPeriod', or SCHEDULE with a six-field 'schedule.cron'."
                .to_owned(),
        )
    })
}

/// `^(?!\.)[.A-Za-z0-9_-]{1,255}$`
pub(crate) fn is_identifier(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// The rules that span several attributes, on the object as it would be stored.
pub(crate) fn check_whole(source: &DataSource) -> Result<(), Invalid> {
    if source.attributes.contains_key("dateTimeSemantics") && !WITH_DATE_TIME_SEMANTICS.contains(&source.kind()) {
        return Err(Invalid(
            "Date time semantics setting is not supported for the given database type".to_owned(),
        ));
    }
    check_credentials(source)
}

fn check_credentials(source: &DataSource) -> Result<(), Invalid> {
    let [user, client_id] = ["username", "clientId"].map(|name| source.attributes.contains_key(name));
    let [password, token, key_pair, client_secret] =
        ["password", "token", "privateKey", "clientSecret"].map(|name| source.secrets.contains_key(name));
    let allowed = [
        [false, false, false, false, false, false],
        [true, true, false, false, false, false],
        [false, false, true, false, false, false],
        [true, false, false, true, false, false],
        [false, false, false, true, false, false],
        [false, false, false, false, true, true],
    ]
    .contains(&[user, password, token, key_pair, client_id, client_secret]);
    if allowed {
        return Ok(());
    }
    let tell = |present: bool| if present { "<yes>" } else { "<no>" };
    Err(Invalid(format!(
        "Invalid combination of auth properties. Only none, user + password, token, key-pair or client id + secret \
         are allowed. Datasource: {}, user: {}, password: {}, token: {}, key-pair: {}, clientId: {}, clientSecret: {}",
        source.id,
        tell(user),
        tell(password),
        tell(token),
        tell(key_pair),
        tell(client_id),
        tell(client_secret),
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(attributes: &Value) -> String {
        Changes::parse(attributes.as_object().unwrap(), false).unwrap_err().0
    }

    #[test]
    fn lengths_count_characters_and_255_still_fits() {
        let fits = json!({ "url": "é".repeat(255), "name": "n".repeat(255) });
        assert!(Changes::parse(fits.as_object().unwrap(), false).is_ok());
        let long = refusal(&json!({ "url": "u".repeat(256) }));
        assert_eq!(long, "Attribute 'url' has 256 characters, at most 255 are allowed.");
        assert!(refusal(&json!({ "token": "t".repeat(10_001) })).contains("10000"));
    }

    #[test]
    fn names_the_attribute_that_is_wrong() {
        assert!(refusal(&json!({ "type": "FLIGHTRPC" })).starts_with("Attribute 'type' must be one of POSTGRESQL"));
        assert!(refusal(&json!({ "name": null })).contains("'name'"));
        assert!(refusal(&json!({ "parameters": [{ "name": "loadBalancing" }] })).contains("'parameters'"));
        assert!(refusal(&json!({ "cacheRetention": { "type": "VALIDITY_PERIOD" } })).contains("'cacheRetention'"));
        assert!(refusal(&json!({ "alternativeDataSourceId": ".a" })).contains("identifier"));
    }

    #[test]
    fn completeness_asks_for_what_is_required() {
        let attributes = json!({ "name": "n", "type": "FLEXCONNECT" });
        let error = Changes::parse(attributes.as_object().unwrap(), true).unwrap_err();
        assert_eq!(error.0, "Attribute 'schema' is required.");
    }

    #[test]
    fn identifiers() {
        for valid in ["a", "A.b_c-9", "-x", &"i".repeat(255)] {
            assert!(is_identifier(valid), "{valid}");
        }
        for invalid in ["", ".a", "a b", "a/b", "é", &"i".repeat(256)] {
            assert!(!is_identifier(invalid), "{invalid}");
        }
    }
}
