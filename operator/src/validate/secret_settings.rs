//! Settings in Secrets: each key is a file of tables. What is wrong is told by names and lines, never by what is there.

use std::collections::BTreeMap;

use flexconnect_crds::{Functions, SettingsSource};
use serde_json::Value;
use toml::Table;

use super::settings::{merge, validate_tables};
use super::{Errors, FieldError, Invalid, validate_object_name};
use crate::dereference::References;
use crate::fleet::SecretTable;

/// The tables of all sources, later ones before earlier ones.
pub(super) fn validate(
    sources: &[SettingsSource],
    functions: Option<&Functions>,
    references: &References,
    errors: &mut Errors,
) -> Option<SecretTable> {
    let mut settings = Table::new();
    for (index, source) in sources.iter().enumerate() {
        let field = format!("spec.settingsFrom[{index}].secret");
        let name = &source.secret.name;
        if !validate_object_name(&format!("{field}.name"), "Secret", name, errors) {
            continue;
        }
        match references.files(name) {
            Ok(files) if files.is_empty() => errors.missing(field, format!("the Secret {name:?} is empty")),
            Ok(files) => {
                for (key, content) in files {
                    match read_file(key, content, functions) {
                        Ok(tables) => settings = merge(&settings, Some(&tables)),
                        // The Secret may change without the object.
                        Err(message) => errors.missing(&field, format!("the Secret {name:?}, key {key:?}: {message}")),
                    }
                }
            }
            Err(message) => errors.missing(field, message),
        }
    }
    (!sources.is_empty()).then(|| SecretTable::new(settings))
}

fn read_file(key: &str, content: &[u8], functions: Option<&Functions>) -> Result<Table, String> {
    let text = std::str::from_utf8(content).map_err(|_| "is not text".to_owned())?;
    let tables: BTreeMap<String, Value> = match key.rsplit_once('.').map(|(_, ending)| ending) {
        Some("toml") => toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map(lines);
            unreadable("TOML", line)
        }),
        Some("yaml" | "yml") => serde_yaml::from_str(text)
            .map_err(|error| unreadable("YAML", error.location().map(|location| location.line()))),
        Some("json") => serde_json::from_str(text).map_err(|error| unreadable("JSON", Some(error.line()))),
        Some(_) | None => Err("must end in .toml, .yaml or .json, to tell what it holds".to_owned()),
    }?;
    let mut errors = Errors::default();
    let settings = validate_tables("", tables.iter(), functions, &mut errors);
    let Errors(Invalid { fields, missing }) = errors;
    let sentences = fields
        .iter()
        .chain(&missing)
        .map(|FieldError { field, message }| format!("{} {message}", field.trim_start_matches('.')))
        .collect::<Vec<_>>();
    if sentences.is_empty() {
        Ok(settings)
    } else {
        Err(sentences.join(", "))
    }
}

fn lines(before: &str) -> usize {
    before.matches('\n').count() + 1
}

/// Parsers quote the line, which may hold a password.
fn unreadable(language: &str, line: Option<usize>) -> String {
    match line {
        Some(line) => format!("does not hold tables of settings in {language}, see line {line}"),
        None => format!("does not hold tables of settings in {language}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a.toml", "[sales]\npassword = 'hunter2'")]
    #[case("a.yaml", "sales: {password: hunter2}")]
    #[case("a.json", "{\"sales\": {\"password\": \"hunter2\"}}")]
    fn three_languages_are_read(#[case] key: &str, #[case] text: &str) {
        let settings = read_file(key, text.as_bytes(), None).unwrap();
        assert_eq!(settings["sales"]["password"].as_str(), Some("hunter2"));
    }

    #[rstest]
    #[case("password", "hunter2", "must end in .toml, .yaml or .json")]
    #[case("a.toml", "[sales]\npassword = hunter2", "tables of settings in TOML, see line 2")]
    #[case("a.toml", "password = 'hunter2'", "password must be a table of settings")]
    #[case("a.yaml", "sales:\n  password: 'hunter2", "tables of settings in YAML")]
    #[case("a.json", "[\"hunter2\"]", "tables of settings in JSON, see line 1")]
    #[case("a.toml", "[Server]\nListen_Port = 1", "Server.Listen_Port is set by the operator")]
    #[case(
        "a.toml",
        "[enumerated_tokens]\ntokens = ['hunter2']",
        "enumerated_tokens is set by the operator"
    )]
    #[case(
        "a.json",
        "{\"sales\": {\"password\": 18446744073709551615}}",
        "sales.password is too large"
    )]
    fn mistakes_are_told_without_what_is_secret(#[case] key: &str, #[case] text: &str, #[case] expected: &str) {
        let message = read_file(key, text.as_bytes(), None).unwrap_err();
        assert!(message.contains(expected), "{message}");
        assert!(
            !message.contains("hunter2") && !message.contains("18446744073709551615"),
            "{message}"
        );
    }
}
