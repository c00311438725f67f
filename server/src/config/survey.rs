//! The merged configuration for people: every setting, its value, where that is from; secrets hidden.

use serde_json::Value as Json;

use super::layers::{Inputs, merge};
use super::report::{Findings, Mistake, Mistakes, Warning};
use super::sections::{self, SECTIONS};
use super::setting::{Described, Unwritten};
use super::source::Source;
use super::tree::{Node, Table, Value};
use super::{document, files, schema, shown};

/// What a configuration comes to, mistakes and all.
#[derive(Debug)]
pub struct Survey {
    /// Our settings in the order of the reference page, each section followed by what is unknown in it; then the tables
    /// of functions.
    pub entries: Vec<Entry>,
    /// What keeps the server from starting.
    pub mistakes: Vec<Mistake>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

/// One setting.
#[derive(Debug)]
pub struct Entry {
    /// The section.
    pub section: String,
    /// The setting's name; empty for a value that is outside every section.
    pub name: String,
    /// What it is.
    pub value: Shown,
    /// Where it was written; unset for defaults.
    pub source: Source,
    /// Whose setting it is.
    pub standing: Standing,
}

/// A value as people may see it.
#[derive(Debug, PartialEq)]
pub enum Shown {
    /// The value; secrets in it are `(hidden)`.
    Written(Json),
    /// Nobody wrote it, and this holds.
    Default(Unwritten),
}

/// Whose setting it is.
#[derive(Debug, PartialEq)]
pub enum Standing {
    /// The server's.
    Known,
    /// Nobody's: it has no effect. The known name that was probably meant.
    Unknown(Option<&'static str>),
    /// A function's.
    Foreign,
}

/// Reads the files and tells what the configuration comes to.
///
/// # Errors
/// When a file cannot be used; without it the rest would mislead.
pub fn survey(inputs: &Inputs) -> Result<Survey, Mistakes> {
    let mut findings = Findings::new(schema::is_secret);
    let mut settings = Table::default();
    files::load(&inputs.files, &mut settings, &mut findings);
    if !findings.mistakes.is_empty() {
        return Err(Mistakes(findings.mistakes));
    }
    Ok(of(settings, inputs, findings))
}

/// The part of [`survey`] that touches nothing.
pub(super) fn of(files: Table, inputs: &Inputs, mut findings: Findings) -> Survey {
    let settings = merge(files, inputs, &mut findings);
    // What it comes to with types is not shown; the mistakes on the way are.
    let _ = sections::resolve(&settings, &inputs.machine_name, &mut findings);
    Survey {
        entries: entries(&settings),
        mistakes: findings.mistakes,
        warnings: findings.warnings,
    }
}

/// Our settings with their values, defaults included where they are values, for the log. Sections that nobody wrote are
/// left out.
pub(super) fn effective(settings: &Table) -> Json {
    let mut sections = serde_json::Map::new();
    let written = |section: &str| section == "server" || settings.get(section).is_some();
    for entry in entries(settings).into_iter().filter(|entry| written(&entry.section)) {
        let value = match (entry.value, entry.standing) {
            (Shown::Written(value), Standing::Known) => value,
            (Shown::Default(Unwritten::Value(default)), Standing::Known) => literal(&default),
            (_, Standing::Unknown(_) | Standing::Foreign) | (Shown::Default(Unwritten::Words(_)), _) => continue,
        };
        let section = sections.entry(entry.section).or_insert_with(|| serde_json::json!({}));
        section[entry.name] = value;
    }
    Json::Object(sections)
}

/// The value that a default, as it would be written, stands for.
#[must_use]
pub fn literal(default: &str) -> Json {
    let node = document::toml_value(default, &Source::Unset);
    node.map_or_else(
        || Json::from(default),
        |node| shown::as_json(&node, "", schema::is_secret),
    )
}

fn entries(settings: &Table) -> Vec<Entry> {
    let mut entries = Vec::new();
    for section in &SECTIONS {
        let written = match settings.get(section.name).map(|node| &node.value) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        let node = |name: &str| written.and_then(|table| table.get(name)).filter(|node| !node.is_null());
        entries.extend(section.settings().map(|setting| match node(setting.name()) {
            Some(node) => entry(section.name, setting.name(), node, Standing::Known),
            None => default(section.name, setting),
        }));
        let unknown = written
            .into_iter()
            .flat_map(Table::iter)
            .filter(|(name, _)| !section.knows(name));
        entries.extend(unknown.map(|(name, node)| {
            let near = schema::nearest(name, section.names());
            entry(section.name, name, node, Standing::Unknown(near))
        }));
    }
    let ours = |name: &str| SECTIONS.iter().any(|section| section.name == name);
    for (section, node) in settings.iter().filter(|(name, _)| !ours(name)) {
        match &node.value {
            Value::Table(table) => {
                entries.extend(
                    table
                        .iter()
                        .map(|(name, node)| entry(section, name, node, Standing::Foreign)),
                );
            }
            _ => entries.push(entry(section, "", node, Standing::Foreign)),
        }
    }
    entries
}

fn entry(section: &str, name: &str, node: &Node, standing: Standing) -> Entry {
    let key = format!("{section}.{name}");
    Entry {
        section: section.to_owned(),
        name: name.to_owned(),
        value: Shown::Written(shown::as_json(node, key.trim_end_matches('.'), schema::is_secret)),
        source: node.source.clone(),
        standing,
    }
}

fn default(section: &str, setting: &dyn Described) -> Entry {
    Entry {
        section: section.to_owned(),
        name: setting.name().to_owned(),
        value: Shown::Default(setting.default()),
        source: Source::Unset,
        standing: Standing::Known,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::document;
    use super::*;

    fn survey(toml: &str) -> Survey {
        let files = document::toml(toml, &Source::file("a.toml".as_ref())).unwrap();
        let variables = BTreeMap::from([("GOODDATA_FLIGHT_SERVER__USE_TLS".to_owned(), "no".to_owned())]);
        let inputs = Inputs {
            variables,
            ..Inputs::default()
        };
        of(files, &inputs, Findings::new(schema::is_secret))
    }

    fn find<'s>(survey: &'s Survey, section: &str, name: &str) -> &'s Entry {
        let mut found = survey
            .entries
            .iter()
            .filter(|entry| entry.section == section && entry.name == name);
        let entry = found.next().unwrap();
        assert!(found.next().is_none(), "{section}.{name} is there twice");
        entry
    }

    #[test]
    fn every_value_has_a_source() {
        let survey = survey("[server]\nlisten_port = '@int 5'\n[sales]\nurl = 'x'");
        let entry = |section, name| {
            let Entry { value, source, .. } = find(&survey, section, name);
            (format!("{value:?}"), source.to_string())
        };
        assert_eq!(
            entry("server", "listen_port"),
            ("Written(Number(5))".to_owned(), "in a.toml:2".to_owned())
        );
        let variable = "in the variable GOODDATA_FLIGHT_SERVER__USE_TLS".to_owned();
        assert_eq!(
            entry("server", "use_tls"),
            ("Written(String(\"no\"))".to_owned(), variable)
        );
        assert_eq!(
            entry("server", "task_threads"),
            ("Default(Value(\"32\"))".to_owned(), "not set".to_owned())
        );
        assert_eq!(
            entry("sales", "url"),
            ("Written(String(\"x\"))".to_owned(), "in a.toml:4".to_owned())
        );
    }

    #[test]
    fn secrets_are_hidden_at_every_depth() {
        let survey = survey(
            "[server]\ntls_private_key = '-----BEGIN hush'\n[enumerated_tokens]\ntokens = ['hush']\n[sales]\n\
             api_key = 'hush'\napikey = 'hush'\n\"Access-Key\" = 'hush'\npasswd = 'hush'\nnested = [{password = 'hush', user = 'u'}]\nurl = 'https://me:hush@host/path'",
        );
        let text = format!("{:?}", survey.entries);
        assert!(!text.contains("hush"), "{text}");
        assert!(
            text.contains("(hidden)") && text.contains("\"u\"") && text.contains("host/path"),
            "{text}"
        );
    }

    #[test]
    fn a_path_of_a_key_is_no_secret() {
        let survey = survey("[server]\ntls_private_key = '@/tls/key.pem'\npass_credentials = true");
        let value = |name| &find(&survey, "server", name).value;
        assert_eq!(*value("tls_private_key"), Shown::Written("@/tls/key.pem".into()));
        assert_eq!(*value("pass_credentials"), Shown::Written(true.into()));
    }

    #[test]
    fn unknown_settings_name_what_was_meant() {
        let survey = survey("[server]\nlisten_prot = 1\ncolour = 1\n[sales]\nx = 1");
        let standing = |section, name| &find(&survey, section, name).standing;
        assert_eq!(
            *standing("server", "listen_prot"),
            Standing::Unknown(Some("listen_port"))
        );
        assert_eq!(*standing("server", "colour"), Standing::Unknown(None));
        assert_eq!(*standing("sales", "x"), Standing::Foreign);
    }

    #[test]
    fn the_log_has_what_holds_without_secrets() {
        let settings = document::toml(
            "[server]\nlisten_port = 5\ncolour = 1\n[enumerated_tokens]\ntokens = ['hush']\n[sales]\nx = 1",
            &Source::Unset,
        );
        let effective = effective(&settings.unwrap());
        assert_eq!(effective["server"]["listen_port"], 5);
        assert_eq!(effective["server"]["task_threads"], 32);
        assert_eq!(effective["server"]["log_trace_keys"], serde_json::json!({}));
        assert_eq!(effective["enumerated_tokens"]["tokens"], "(hidden)");
        for absent in ["colour", "advertise_host"] {
            assert_eq!(effective["server"].get(absent), None);
        }
        assert_eq!((effective.get("jwt"), effective.get("sales")), (None, None));
    }

    #[test]
    fn mistakes_do_not_keep_values_from_being_shown() {
        let survey = survey("[server]\nlisten_port = 0\ntask_threads = 0");
        assert_eq!(survey.mistakes.len(), 2);
        assert_eq!(find(&survey, "server", "listen_port").value, Shown::Written(0.into()));
    }
}
