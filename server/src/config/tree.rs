//! Configuration before it has types: tables of values that remember where they were written, and how layers merge.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::report::{Findings, Mistake, Source};
use super::{casts, schema};

/// The key that says how a table, or a list, meets the one below it.
const MERGE_MARKER: &str = "dynaconf_merge";

/// Parts that a name may have which spells a path, such as `server.listen_port`.
pub(super) const MAX_PARTS: usize = 32;

/// Texts longer than this are cut where they are shown.
const MAX_SHOWN: usize = 60;

/// What is shown instead of a secret.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Whether the value under a key must not be shown: our settings know, those of functions are judged by their names.
fn is_secret(key: &str, value: &Value) -> bool {
    const SPEAKING: [&str; 8] = [
        "token",
        "secret",
        "passw",
        "passphrase",
        "privatekey",
        "credential",
        "apikey",
        "accesskey",
    ];
    match schema::find(key) {
        Some(setting) => setting.hides(value),
        None => {
            let letters: String = key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
            SPEAKING.iter().any(|word| letters.contains(word))
        }
    }
}

/// A text without the password of an address in it: `https://user:password@host`.
fn without_password(text: &str) -> Cow<'_, str> {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (credentials, _) = authority.rsplit_once('@')?;
        let (user, _) = credentials.split_once(':')?;
        Some(format!("{scheme}://{user}:{HIDDEN}{}", &rest[credentials.len()..]))
    };
    hidden().map_or(Cow::Borrowed(text), Cow::Owned)
}

/// A value and the place it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) source: Source,
}

/// What TOML, YAML and JSON have in common; dates are texts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(Table),
}

/// Entries by name. Names are found whatever their case and keep the spelling of the layer that wrote them first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    spelling: String,
    node: Node,
}

/// How a layer lies over another.
#[derive(Clone, Copy, PartialEq)]
enum Overlay {
    /// Tables merge key by key, everything else is replaced: the rule.
    Merge,
    /// `dynaconf_merge = true`: tables merge, lists are appended.
    Append,
    /// `dynaconf_merge = false`: the table below is forgotten.
    Replace,
}

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.entries.get(&name.to_lowercase()).map(|entry| &entry.node)
    }

    /// The value at `section.key…`, whatever the case of its parts.
    pub(crate) fn at(&self, path: &str) -> Option<&Node> {
        let Some((first, rest)) = path.split_once('.') else {
            return self.get(path);
        };
        match &self.get(first)?.value {
            Value::Table(table) => table.at(rest),
            _ => None,
        }
    }

    pub(crate) fn set(&mut self, name: &str, node: Node) {
        let entry = Entry {
            spelling: name.to_owned(),
            node,
        };
        self.entries.insert(name.to_lowercase(), entry);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Node> {
        self.entries.remove(&name.to_lowercase()).map(|entry| entry.node)
    }

    /// Names in lower case, with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), &entry.node))
    }

    /// Names in lower case, names as they were written, and their values.
    pub(crate) fn iter_spelled(&self) -> impl Iterator<Item = (&str, &str, &Node)> {
        let entries = self.entries.iter();
        entries.map(|(name, entry)| (name.as_str(), entry.spelling.as_str(), &entry.node))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> {
        self.entries
            .iter_mut()
            .map(|(name, entry)| (name.as_str(), &mut entry.node))
    }

    pub(crate) fn into_nodes(self) -> impl Iterator<Item = (String, Node)> {
        self.entries.into_values().map(|entry| (entry.spelling, entry.node))
    }

    /// Writes a value under a path of names, making the tables on the way; tables meet key by key.
    pub(crate) fn set_path(&mut self, path: &[&str], node: Node) {
        let Some((name, rest)) = path.split_first() else { return };
        let below = self
            .entries
            .get_mut(&name.to_lowercase())
            .map(|entry| &mut entry.node.value);
        match (below, rest) {
            (Some(Value::Table(below)), [_, ..]) => below.set_path(rest, node),
            (Some(Value::Table(below)), []) if matches!(node.value, Value::Table(_)) => {
                if let Value::Table(table) = node.value {
                    table
                        .into_nodes()
                        .for_each(|(name, node)| below.set_path(&[&name], node));
                }
            }
            (_, []) => self.set(name, node),
            (_, [_, ..]) => {
                let source = node.source.clone();
                let mut table = Self::default();
                table.set_path(rest, node);
                self.set(name, Node::new(Value::Table(table), source));
            }
        }
    }

    /// Lays `upper` over this table: tables merge key by key, other values of the upper layer win, unless
    /// `dynaconf_merge` or `@merge` says that they are added.
    pub(crate) fn overlay(&mut self, upper: Self, findings: &mut Findings) {
        self.overlay_as(upper, Overlay::Merge, "", findings);
    }

    fn overlay_as(&mut self, mut upper: Self, inherited: Overlay, path: &str, findings: &mut Findings) {
        let overlay = upper.take_marker().unwrap_or(inherited);
        if overlay == Overlay::Replace {
            self.entries.clear();
        }
        for (name, Entry { spelling, node }) in upper.entries {
            let here = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let unset = || Entry {
                spelling,
                node: Node::new(Value::Null, Source::Unset),
            };
            let below = &mut self.entries.entry(name).or_insert_with(unset).node;
            match casts::merge_operand(&node) {
                Some(addition) if below.takes(&addition) => below.overlay(addition, Overlay::Append, &here, findings),
                Some(_) => findings.mistakes.push(Mistake {
                    value: Some(node.shown(&here)),
                    key: here,
                    source: node.source,
                    problem: "@merge adds to a list or a table, and the value below it is of another kind".to_owned(),
                    fix: "write the whole value without @merge".to_owned(),
                }),
                None => below.overlay(node, overlay.within(), &here, findings),
            }
        }
    }

    /// Takes the marker out: it speaks about the table and is no setting.
    fn take_marker(&mut self) -> Option<Overlay> {
        match self.remove(MERGE_MARKER)?.value {
            Value::Bool(false) => Some(Overlay::Replace),
            Value::Text(text) if casts::flag(&text) == Some(false) => Some(Overlay::Replace),
            _ => Some(Overlay::Append),
        }
    }

    /// The table as JSON, for functions: sections and keys in lower case, deeper names as they were written.
    pub(crate) fn to_json(&self) -> serde_json::Map<String, Json> {
        self.to_json_at(0)
    }

    fn to_json_at(&self, depth: usize) -> serde_json::Map<String, Json> {
        let spell = |name: &String, entry: &Entry| {
            if depth < 2 {
                name.clone()
            } else {
                entry.spelling.clone()
            }
        };
        self.entries
            .iter()
            .map(|(name, entry)| (spell(name, entry), entry.node.to_json_at(depth + 1)))
            .collect()
    }
}

impl Overlay {
    /// How the tables inside a table are laid over; replacing speaks about one table only.
    fn within(self) -> Self {
        match self {
            Self::Append => Self::Append,
            Self::Merge | Self::Replace => Self::Merge,
        }
    }
}

impl Node {
    pub(crate) fn new(value: Value, source: Source) -> Self {
        Self { value, source }
    }

    fn overlay(&mut self, above: Self, overlay: Overlay, path: &str, findings: &mut Findings) {
        match above.value {
            Value::Table(table) => {
                if !matches!(self.value, Value::Table(_)) {
                    *self = Self::new(Value::Table(Table::default()), above.source);
                }
                if let Value::Table(below) = &mut self.value {
                    below.overlay_as(table, overlay, path, findings);
                }
            }
            Value::List(mut items) => {
                let marked = items.iter().any(Self::is_marker);
                items.retain(|item| !item.is_marker());
                match &mut self.value {
                    Value::List(below) if marked || overlay == Overlay::Append => below.extend(items),
                    _ => *self = Self::new(Value::List(items), above.source),
                }
            }
            value => *self = Self::new(value, above.source),
        }
    }

    /// Whether `addition` can be merged into this value.
    fn takes(&self, addition: &Self) -> bool {
        matches!(
            (&self.value, &addition.value),
            (Value::Null, _) | (Value::List(_), Value::List(_)) | (Value::Table(_), Value::Table(_))
        )
    }

    /// The value as people may see it: secrets are hidden, long texts are cut.
    pub(crate) fn shown(&self, key: &str) -> String {
        if is_secret(key, &self.value) {
            return HIDDEN.to_owned();
        }
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Text(text) => {
                let text = without_password(text);
                if text.chars().count() > MAX_SHOWN {
                    format!("{:?}", text.chars().take(MAX_SHOWN).chain(['…']).collect::<String>())
                } else {
                    format!("{text:?}")
                }
            }
            Value::List(items) => format!(
                "[{}]",
                items.iter().map(|item| item.shown(key)).collect::<Vec<_>>().join(", ")
            ),
            Value::Table(_) => "{…}".to_owned(),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The whole value as JSON, secrets hidden wherever they are in it.
    pub(crate) fn to_shown_json(&self, key: &str) -> Json {
        if is_secret(key, &self.value) {
            return Json::from(HIDDEN);
        }
        match &self.value {
            Value::List(items) => items.iter().map(|item| item.to_shown_json(key)).collect(),
            Value::Table(table) => table
                .iter_spelled()
                .map(|(name, spelling, node)| (spelling.to_owned(), node.to_shown_json(&format!("{key}.{name}"))))
                .collect(),
            Value::Text(text) => Json::from(without_password(text)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => self.to_json_at(0),
        }
    }

    fn is_marker(&self) -> bool {
        matches!(&self.value, Value::Text(text) if text == MERGE_MARKER)
    }

    fn to_json_at(&self, depth: usize) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::from(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(value) => Json::from(value.as_str()),
            Value::List(items) => items.iter().map(|item| item.to_json_at(depth + 1)).collect(),
            Value::Table(table) => Json::Object(table.to_json_at(depth)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::super::document;
    use super::*;

    fn table(text: &str) -> Table {
        document::toml(text, &Source::file(Path::new("test.toml"))).unwrap()
    }

    #[rstest]
    #[case::sections_merge("[a]\nx = 1\ny = 2", "[a]\ny = 3", r#"{"a":{"x":1,"y":3}}"#)]
    #[case::names_have_no_case("[A]\nX = 1", "[a]\nx = 2", r#"{"a":{"x":2}}"#)]
    #[case::lists_are_replaced("[a]\nx = [1]", "[a]\nx = [2]", r#"{"a":{"x":[2]}}"#)]
    #[case::marked_list("[a]\nx = [1]", "[a]\nx = ['dynaconf_merge', 2]", r#"{"a":{"x":[1,2]}}"#)]
    #[case::marked_section("[a]\nx = [1]", "[a]\ndynaconf_merge = true\nx = [2]", r#"{"a":{"x":[1,2]}}"#)]
    #[case::marked_file("[a]\nx = [1]", "dynaconf_merge = true\n[a]\nx = [2]", r#"{"a":{"x":[1,2]}}"#)]
    #[case::replaced_section("[a]\nx = 1", "[a]\ndynaconf_merge = false\ny = 2", r#"{"a":{"y":2}}"#)]
    #[case::merge_cast("[a]\nx = [1]", "[a]\nx = '@merge [2]'", r#"{"a":{"x":[1,2]}}"#)]
    #[case::merge_one("[a]\nx = [1]", "[a]\nx = '@merge two'", r#"{"a":{"x":[1,"two"]}}"#)]
    #[case::merge_onto_nothing("", "[a]\nx = '@merge [2]'", r#"{"a":{"x":[2]}}"#)]
    #[case::another_kind("a = 1", "[a]\nx = 1", r#"{"a":{"x":1}}"#)]
    #[case::deep_names_keep_their_spelling("[a.Regions]\nEMEA = 1", "", r#"{"a":{"regions":{"EMEA":1}}}"#)]
    fn layers_merge(#[case] below: &str, #[case] above: &str, #[case] expected: &str) {
        let mut findings = Findings::default();
        let mut merged = Table::default();
        merged.overlay(table(below), &mut findings);
        merged.overlay(table(above), &mut findings);
        assert!(findings.mistakes.is_empty());
        assert_eq!(serde_json::to_string(&merged.to_json()).unwrap(), expected);
    }

    #[test]
    fn merging_into_another_kind_is_a_mistake() {
        let mut findings = Findings::default();
        let mut merged = table("[a]\nx = 5");
        merged.overlay(table("[a]\nx = '@merge [2]'"), &mut findings);
        assert_eq!(findings.mistakes[0].key, "a.x");
    }
}
