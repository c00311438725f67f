//! The user's configuration tables, which must not undo what the operator sets, and the times in them.

use std::collections::{BTreeMap, BTreeSet};

use flexconnect_crds::Functions;
use serde_json::Value;
use toml::Table;

use super::Errors;
use crate::fleet::Drain;

/// The settings of `[server]` that the operator sets itself.
pub(super) const OPERATOR_KEYS: [&str; 15] = [
    "listen_host",
    "listen_port",
    "advertise_host",
    "advertise_port",
    "advertise_file",
    "use_tls",
    "use_mtls",
    "tls_certificate",
    "tls_private_key",
    "tls_root_certificate",
    "authentication_method",
    "token_header_name",
    "token_verification",
    "health_check_host",
    "health_check_port",
];

/// The section that holds the tokens, which the operator writes into a Secret.
pub(super) const OPERATOR_SECTION: &str = "enumerated_tokens";

/// Two days: longer times are mistakes, and keep the sums far from any limit.
const LONGEST: u64 = 172_800;

/// What `[python]` says and a container of the functions' own settles by `spec.functions`.
const FUNCTIONS_KEYS: [&str; 4] = ["interpreter", "path", "config_files", "workers"];

/// The user's tables as TOML.
pub(super) fn validate(tables: &BTreeMap<String, Value>, functions: Option<&Functions>, errors: &mut Errors) -> Table {
    validate_tables("spec.settings", tables.iter(), functions, errors)
}

/// Tables from anywhere as TOML. No message tells a value.
pub(super) fn validate_tables<'a>(
    place: &str,
    tables: impl Iterator<Item = (&'a String, &'a Value)>,
    functions: Option<&Functions>,
    errors: &mut Errors,
) -> Table {
    let mut settings = Table::new();
    let mut seen = BTreeSet::new();
    for (name, value) in tables {
        let field = format!("{place}.{name}");
        if !is_section(name) {
            errors.field(
                field,
                "a table's name starts with a letter and has letters, digits, '-' and single '_'",
            );
        } else if !seen.insert(name.to_ascii_lowercase()) {
            errors.field(field, "is given twice: the server does not tell upper from lower case");
        } else if name.eq_ignore_ascii_case(OPERATOR_SECTION) {
            errors.field(
                field,
                "is set by the operator: name the token in spec.auth.secret instead",
            );
        } else if let Value::Object(entries) = value {
            let mut table = Table::new();
            for (key, value) in entries {
                let field = format!("{field}.{key}");
                if let Some(message) = refusal(name, key, functions) {
                    errors.field(field, message);
                } else if let Some(value) = to_toml(value, &field, errors) {
                    table.insert(key.clone(), value);
                }
            }
            settings.insert(name.clone(), toml::Value::Table(table));
        } else {
            errors.field(field, "must be a table of settings");
        }
    }
    settings
}

/// Why a setting is not the user's.
fn refusal(section: &str, key: &str, functions: Option<&Functions>) -> Option<&'static str> {
    let key = key.to_ascii_lowercase();
    let key = key.as_str();
    match section.to_ascii_lowercase().as_str() {
        "server" if OPERATOR_KEYS.contains(&key) => Some("is set by the operator: remove it"),
        "python" if key == "socket" => Some("is set by the operator: remove it"),
        "python" if functions.is_some() && FUNCTIONS_KEYS.contains(&key) => {
            Some("is not for functions in a container of their own: remove it, and see spec.functions")
        }
        "flexconnect" if key == "functions" && functions.is_some_and(|functions| !functions.modules.is_empty()) => {
            Some("is said by spec.functions.modules already: remove one of them")
        }
        _ => None,
    }
}

/// Both as the server sees them: the second goes before the first, setting by setting.
pub(super) fn merge(first: &Table, second: Option<&Table>) -> Table {
    let mut merged = first.clone();
    for (name, value) in second.into_iter().flatten() {
        let own = merged.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name));
        match (own, value) {
            (Some((_, toml::Value::Table(own))), toml::Value::Table(table)) => *own = merge(own, Some(table)),
            (Some((_, own)), value) => *own = value.clone(),
            (None, value) => {
                merged.insert(name.clone(), value.clone());
            }
        }
    }
    merged
}

/// A setting, however it is written.
pub(super) fn of_section<'t>(settings: &'t Table, section: &str, key: &str) -> Option<&'t toml::Value> {
    of_any_case(of_any_case(settings, section)?.as_table()?, key)
}

fn is_section(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(inner) && !name.contains("__")
}

fn to_toml(value: &Value, field: &str, errors: &mut Errors) -> Option<toml::Value> {
    match value {
        Value::Null => {
            errors.field(field, "has no value: give one, or remove it");
            None
        }
        Value::Bool(value) => Some(toml::Value::Boolean(*value)),
        Value::Number(number) => {
            let integer = number.as_i64().map(toml::Value::Integer);
            let value = integer.or_else(|| number.as_f64().filter(|_| number.is_f64()).map(toml::Value::Float));
            if value.is_none() {
                errors.field(field, "is too large for a number: write it as text");
            }
            value
        }
        Value::String(text) => Some(toml::Value::String(text.clone())),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let items = items.map(|(index, item)| to_toml(item, &format!("{field}[{index}]"), errors));
            // Collected first, so that every item is looked at.
            let items = items.collect::<Vec<_>>();
            items.into_iter().collect::<Option<Vec<_>>>().map(toml::Value::Array)
        }
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| Some((key.clone(), to_toml(value, &format!("{field}.{key}"), errors)?)));
            let entries = entries.collect::<Vec<_>>();
            entries.into_iter().collect::<Option<Table>>().map(toml::Value::Table)
        }
    }
}

/// The times of a shutdown, in seconds, as the server computes them from the same settings.
pub(super) fn drain(settings: &Table, errors: &mut Errors) -> Drain {
    let deadline = longest_deadline(settings, errors);
    let ttl = time(settings, "server", "task_result_ttl_sec", 1, errors).unwrap_or(60);
    let lame_duck = time(settings, "server", "lame_duck_sec", 1, errors).unwrap_or(60);
    let least = deadline + ttl;
    let timeout = match time(settings, "server", "drain_timeout_sec", 1, errors) {
        Some(timeout) if timeout < least => {
            errors.field(
                "spec.settings.server.drain_timeout_sec",
                format!(
                    "must be at least {least}: a call may take {deadline} s (flexconnect.call_deadline_ms) and its \
                     result is kept for {ttl} s (server.task_result_ttl_sec)"
                ),
            );
            timeout
        }
        Some(timeout) => timeout,
        None => least + 15,
    };
    let propagation_delay = time(settings, "server", "propagation_delay_sec", 1, errors).unwrap_or(5);
    Drain {
        lame_duck,
        propagation_delay,
        timeout,
    }
}

/// The deadline of calls, or of the function that has a longer one of its own.
fn longest_deadline(settings: &Table, errors: &mut Errors) -> u64 {
    let general = time(settings, "flexconnect", "call_deadline_ms", 1000, errors).unwrap_or(180);
    let limits = of_any_case(settings, "flexconnect").and_then(|section| of_any_case(section.as_table()?, "limits"));
    let functions = limits.and_then(toml::Value::as_table).into_iter().flatten();
    let own = functions.filter_map(|(function, limits)| {
        let value = of_any_case(limits.as_table()?, "call_deadline_ms")?;
        let field = format!("spec.settings.flexconnect.limits.{function}.call_deadline_ms");
        whole_seconds(value, field, 1000, errors)
    });
    own.fold(general, u64::max)
}

/// A duration among the settings in whole seconds, rounded up. `per_second` says how many of its units make a second.
fn time(settings: &Table, section: &str, key: &str, per_second: u64, errors: &mut Errors) -> Option<u64> {
    let value = of_section(settings, section, key)?;
    whole_seconds(value, format!("spec.settings.{section}.{key}"), per_second, errors)
}

fn of_any_case<'t>(table: &'t Table, name: &str) -> Option<&'t toml::Value> {
    let entry = table.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    entry.map(|(_, value)| value)
}

fn whole_seconds(value: &toml::Value, field: String, per_second: u64, errors: &mut Errors) -> Option<u64> {
    let seconds = value
        .as_integer()
        .and_then(|value| u64::try_from(value).ok())
        .map(|value| value.div_ceil(per_second));
    let valid = seconds.filter(|seconds| *seconds <= LONGEST);
    if valid.is_none() {
        errors.field(
            field,
            format!("must be a whole number from 0 to {}", LONGEST * per_second),
        );
    }
    valid
}
