//! Configuration before it has types: tables of values that remember where they were written.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::source::Source;

/// Parts that a name may have which spells a path, such as `server.listen_port`.
pub(super) const MAX_PARTS: usize = 32;

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

    /// The value of a name, null when there is none so far.
    pub(crate) fn slot(&mut self, name: &str) -> &mut Node {
        let unset = || Entry {
            spelling: name.to_owned(),
            node: Node::new(Value::Null, Source::Unset),
        };
        &mut self.entries.entry(name.to_lowercase()).or_insert_with(unset).node
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

impl Node {
    pub(crate) fn new(value: Value, source: Source) -> Self {
        Self { value, source }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> Json {
        self.to_json_at(0)
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
