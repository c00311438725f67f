//! How settings are printed: as a table, as a TOML document with sources as comments, as JSON.

use std::fmt::Write as _;

use clap::ValueEnum;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value as Json, json};

use crate::config::{self, Entry, Shown, Source, Standing, Unwritten};

/// Values longer than this are cut in the table.
const MAX_VALUE: usize = 60;

/// How settings are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// One line per setting.
    Table,
    /// A settings file, with sources as comments. Hidden secrets have to be filled in.
    Toml,
    /// A list of objects.
    Json,
}

pub(super) fn render(format: Format, entries: &[Entry]) -> String {
    match format {
        Format::Table => table(entries),
        Format::Toml => document(entries),
        Format::Json => format!("{:#}\n", entries.iter().map(object).collect::<Json>()),
    }
}

/// `section.name`
fn key(entry: &Entry) -> String {
    match entry.name.as_str() {
        "" => entry.section.clone(),
        name => format!("{}.{name}", entry.section),
    }
}

fn table(entries: &[Entry]) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["setting", "value", "source"]);
    for entry in entries {
        let value = match &entry.value {
            Shown::Written(value) => cut(&in_line(value)),
            Shown::Default(Unwritten::Value(value)) => value.clone(),
            Shown::Default(Unwritten::Words(words)) => format!("({})", words.replace('`', "")),
        };
        let source = match (&entry.source, &entry.standing) {
            (Source::Unset, _) => "default".to_owned(),
            (source, Standing::Known | Standing::Foreign) => place(source),
            (source, Standing::Unknown(None)) => format!("{} (unknown)", place(source)),
            (source, Standing::Unknown(Some(near))) => format!("{} (unknown: {near}?)", place(source)),
        };
        table.add_row([key(entry), value, source]);
    }
    format!("{table}\n")
}

/// Values outside every section come first, as TOML wants it.
fn document(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut section = "";
    let (outside, inside): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| entry.name.is_empty());
    for entry in outside.into_iter().chain(inside) {
        let name = if entry.name.is_empty() {
            &entry.section
        } else {
            &entry.name
        };
        if !entry.name.is_empty() && entry.section != section {
            section = &entry.section;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{}]", bare(section));
        }
        let name = bare(name);
        let _ = match &entry.value {
            Shown::Written(value) => writeln!(text, "{name} = {}  # {}", in_line(value), place(&entry.source)),
            Shown::Default(Unwritten::Value(value)) => writeln!(text, "# {name} = {value}"),
            Shown::Default(Unwritten::Words(words)) => writeln!(text, "# {name}: {}", words.replace('`', "")),
        };
    }
    text
}

/// `file:line` or the name of the variable.
fn place(source: &Source) -> String {
    match source {
        Source::File(path, Some(line)) => format!("{}:{line}", path.display()),
        Source::File(path, None) => path.display().to_string(),
        Source::Variable(name) => name.to_string(),
        Source::Unset => "default".to_owned(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_VALUE {
        return text.to_owned();
    }
    text.chars().take(MAX_VALUE).chain(['…']).collect()
}

/// A value as TOML in one line.
fn in_line(value: &Json) -> String {
    match value {
        Json::Null => "'@none'".to_owned(),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
        Json::String(text) => toml::Value::from(text.as_str()).to_string(),
        Json::Array(items) => format!("[{}]", items.iter().map(in_line).collect::<Vec<_>>().join(", ")),
        Json::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{} = {}", bare(name), in_line(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A name as a key of TOML.
fn bare(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    toml::Value::from(name).to_string()
}

fn object(entry: &Entry) -> Json {
    let (value, otherwise) = match &entry.value {
        Shown::Written(value) => (value.clone(), None),
        Shown::Default(Unwritten::Value(default)) => (config::literal(default), None),
        Shown::Default(Unwritten::Words(words)) => (Json::Null, Some(words.replace('`', ""))),
    };
    let mut object = json!({"key": key(entry), "value": value, "source": place(&entry.source)});
    if let Some(words) = otherwise {
        object["otherwise"] = words.into();
    }
    if let Standing::Unknown(near) = entry.standing {
        object["unknown"] = true.into();
        object["meant"] = near.into();
    }
    object
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    fn entries() -> Vec<Entry> {
        let entry = |section: &str, name: &str, value, source, standing| Entry {
            section: section.to_owned(),
            name: name.to_owned(),
            value,
            source,
            standing,
        };
        let file = || Source::File(Arc::from(Path::new("a.toml")), Some(2));
        let variable = || Source::Variable(Arc::from("GOODDATA_FLIGHT_SALES__URL"));
        let default = |value: &str| Shown::Default(Unwritten::Value(value.to_owned()));
        vec![
            entry(
                "server",
                "listen_port",
                Shown::Written(json!(5)),
                file(),
                Standing::Known,
            ),
            entry("server", "use_tls", default("false"), Source::Unset, Standing::Known),
            entry(
                "server",
                "advertise_port",
                Shown::Default(Unwritten::Words("`listen_port`")),
                Source::Unset,
                Standing::Known,
            ),
            entry(
                "server",
                "colour",
                Shown::Written(json!("red")),
                file(),
                Standing::Unknown(Some("column")),
            ),
            entry(
                "sales",
                "urls",
                Shown::Written(json!(["it's", {"a b": null}])),
                variable(),
                Standing::Foreign,
            ),
            entry("alone", "", Shown::Written(json!(1.5)), file(), Standing::Foreign),
        ]
    }

    #[test]
    fn a_table_shows_value_and_source() {
        let table = table(&entries());
        let row = |key: &str| {
            let line = table.lines().find(|line| line.contains(key)).unwrap();
            line.split_whitespace()
                .filter(|word| *word != "│")
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(row("listen_port "), "server.listen_port 5 a.toml:2");
        assert_eq!(row("use_tls"), "server.use_tls false default");
        assert_eq!(row("advertise_port"), "server.advertise_port (listen_port) default");
        assert_eq!(row("colour"), "server.colour \"red\" a.toml:2 (unknown: column?)");
        assert_eq!(row("alone"), "alone 1.5 a.toml:2");
    }

    #[test]
    fn a_document_can_be_read_again() {
        let document = document(&entries());
        let read: toml::Table = document.parse().unwrap();
        assert_eq!(read["server"]["listen_port"].as_integer(), Some(5));
        assert_eq!(read["sales"]["urls"][0].as_str(), Some("it's"));
        assert_eq!(read["alone"].as_float(), Some(1.5));
        assert!(
            document.contains("# use_tls = false\n# advertise_port: listen_port\n"),
            "{document}"
        );
    }

    #[test]
    fn json_tells_the_same() {
        let list: Json = serde_json::from_str(&render(Format::Json, &entries())).unwrap();
        let row = |n: usize| list[n].clone();
        assert_eq!(
            row(0),
            json!({"key": "server.listen_port", "value": 5, "source": "a.toml:2"})
        );
        assert_eq!(
            row(1),
            json!({"key": "server.use_tls", "value": false, "source": "default"})
        );
        assert_eq!(row(2)["otherwise"], "listen_port");
        assert_eq!((&row(3)["unknown"], &row(3)["meant"]), (&json!(true), &json!("column")));
    }
}
