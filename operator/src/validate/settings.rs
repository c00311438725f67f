//! The user's configuration tables, which must not undo what the operator sets, and the times in them.

use std::collections::{BTreeMap, BTreeSet};

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

/// The tables as TOML, and the times of a shutdown that follow from them.
pub(super) fn validate(tables: &BTreeMap<String, Value>, errors: &mut Errors) -> (Table, Drain) {
    let mut settings = Table::new();
    let mut seen = BTreeSet::new();
    for (name, value) in tables {
        let field = format!("spec.settings.{name}");
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
            let is_server = name.eq_ignore_ascii_case("server");
            let mut table = Table::new();
            for (key, value) in entries {
                let field = format!("{field}.{key}");
                if is_server && OPERATOR_KEYS.contains(&key.to_ascii_lowercase().as_str()) {
                    errors.field(field, "is set by the operator: remove it");
                } else if let Some(value) = to_toml(value, &field, errors) {
                    table.insert(key.clone(), value);
                }
            }
            settings.insert(name.clone(), toml::Value::Table(table));
        } else {
            errors.field(field, "must be a table of settings");
        }
    }
    let drain = drain(&settings, errors);
    (settings, drain)
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
                errors.field(field, format!("{number} is too large for a number: write it as text"));
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
fn drain(settings: &Table, errors: &mut Errors) -> Drain {
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
    Drain { lame_duck, timeout }
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
    let value = of_any_case(of_any_case(settings, section)?.as_table()?, key)?;
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
            format!("must be a whole number from 0 to {}, not {value}", LONGEST * per_second),
        );
    }
    valid
}
