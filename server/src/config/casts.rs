//! How a text becomes a value: the rules of TOML for environment variables, and the casts (`@int 5`) of all layers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document;
use super::report::Findings;
use super::source::Source;
use super::tree::{Node, Table, Value};

/// How many casts, and settings that `@format` refers to, may lie between a text and its value.
const MAX_DEPTH: usize = 8;

/// Casts of the original that are refused, since a literal text in their place would be a silent surprise.
const REFUSED: [(&str, &str); 7] = [
    ("jinja", "write the value itself, or use @format"),
    (
        "read_file",
        "write the value itself, or for TLS material '@/path/of/the/file'",
    ),
    ("get", "use '@format {this.section.key}'"),
    ("insert", "use '@merge [item]', which appends"),
    ("del", "use @none to return to the default"),
    ("reset", "use @none to return to the default"),
    ("empty", "use @none to return to the default"),
];

/// What a text means as a boolean, if it means one.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// An environment variable's value: the right-hand side of a TOML assignment, else a text.
pub(super) fn from_variable(text: &str, source: &Source) -> Node {
    let cast = || Node::new(Value::Text(text.to_owned()), source.clone());
    match text.trim_matches([' ', '\t']) {
        "True" => Node::new(Value::Bool(true), source.clone()),
        "False" => Node::new(Value::Bool(false), source.clone()),
        _ => document::toml_value(text, source).unwrap_or_else(cast),
    }
}

/// What `@merge …` adds: a list or a table; a single value, or values with commas, are a list.
pub(super) fn merge_operand(node: &Node) -> Option<Node> {
    let Value::Text(text) = &node.value else { return None };
    let operand = split(text).filter(|(token, _)| *token == "merge")?.1;
    let parsed = from_variable(operand, &node.source);
    let items = match parsed.value {
        Value::List(_) | Value::Table(_) => return Some(parsed),
        Value::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| from_variable(item, &node.source))
            .collect(),
        value => vec![Node::new(value, node.source.clone())],
    };
    Some(Node::new(Value::List(items), node.source.clone()))
}

/// Replaces every text that starts with a cast by what it stands for.
pub(super) fn apply(table: &mut Table, variables: &BTreeMap<String, String>, findings: &mut Findings) {
    let settings = table.clone();
    Casting {
        settings: &settings,
        variables,
    }
    .table(table, "", findings);
}

/// `@token operand`, when the text begins that way.
fn split(text: &str) -> Option<(&str, &str)> {
    let (token, operand) = text
        .strip_prefix('@')?
        .split_once(char::is_whitespace)
        .unwrap_or((&text[1..], ""));
    Some((token, operand.trim()))
}

struct Casting<'a> {
    settings: &'a Table,
    variables: &'a BTreeMap<String, String>,
}

impl Casting<'_> {
    fn table(&self, table: &mut Table, path: &str, findings: &mut Findings) {
        for (name, node) in table.iter_mut() {
            let here = if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            };
            self.node(node, &here, findings);
        }
    }

    fn node(&self, node: &mut Node, path: &str, findings: &mut Findings) {
        match &mut node.value {
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
            Value::Table(table) => self.table(table, path, findings),
            Value::List(items) => items.iter_mut().for_each(|item| self.node(item, path, findings)),
            Value::Text(text) => match self.cast(text, &node.source, 0) {
                Ok(None) => {}
                Ok(Some(value)) => node.value = value,
                Err((problem, fix)) => findings.refuse(path, node, problem, fix),
            },
        }
    }

    /// The value of a text with a cast, `None` for a text that is just that; errors are a problem and its fix.
    fn cast(&self, text: &str, source: &Source, depth: usize) -> Result<Option<Value>, (String, String)> {
        let Some((token, operand)) = split(text) else {
            return Ok(None);
        };
        if let Some((_, fix)) = REFUSED.iter().find(|(refused, _)| *refused == token) {
            return Err((format!("@{token} is not supported by this version"), (*fix).to_owned()));
        }
        if !matches!(
            token,
            "int" | "float" | "bool" | "str" | "json" | "none" | "note" | "format"
        ) {
            return Ok(None);
        }
        if depth > MAX_DEPTH {
            return Err((
                "casts are nested too deeply".to_owned(),
                "write the value out".to_owned(),
            ));
        }
        // Casts can be combined: `@int @format {this.server.listen_port}`.
        let inner = match token {
            "json" | "none" | "note" | "format" => None,
            _ => self.cast(operand, source, depth + 1)?,
        };
        let operand = match inner {
            Some(value) => plain(&value).ok_or_else(|| {
                (
                    format!("@{token} needs a single value"),
                    "write a number, a boolean or a text".to_owned(),
                )
            })?,
            None => operand.to_owned(),
        };
        let wrong = |what: &str, fix: &str| (format!("@{token} needs {what}"), fix.to_owned());
        Ok(Some(match token {
            "int" => {
                Value::Integer(integer(&operand).ok_or_else(|| wrong("an integer", "write it in digits: '@int 5'"))?)
            }
            "float" => Value::Float(
                operand
                    .parse()
                    .map_err(|_| wrong("a number", "write it with a decimal point: '@float 1.5'"))?,
            ),
            "bool" => Value::Bool(flag(&operand).ok_or_else(|| wrong("true or false", "write '@bool true'"))?),
            "json" => {
                let parsed = document::json_value(&operand, source);
                parsed
                    .map_err(|error| (format!("@json needs JSON ({error})"), "correct the JSON".to_owned()))?
                    .value
            }
            "format" => Value::Text(self.format(&operand, depth)?),
            "str" => Value::Text(operand),
            _ => Value::Null,
        }))
    }

    /// Fills `{env[NAME]}` and `{this.section.key}` in; `{{` and `}}` are braces.
    fn format(&self, template: &str, depth: usize) -> Result<String, (String, String)> {
        let fix = || "use {env[NAME]} or {this.section.key}, and {{ }} for braces".to_owned();
        let mut text = String::new();
        let mut rest = template;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(brace);
            text.push_str(before);
            rest = if let Some(after) = from.strip_prefix("{{") {
                text.push('{');
                after
            } else if let Some(after) = from.strip_prefix("}}") {
                text.push('}');
                after
            } else if let Some((field, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) {
                text.push_str(&self.field(field, depth)?);
                after
            } else {
                return Err(("@format has a single brace".to_owned(), fix()));
            };
        }
        text.push_str(rest);
        Ok(text)
    }

    fn field(&self, field: &str, depth: usize) -> Result<String, (String, String)> {
        if let Some(name) = field.strip_prefix("env[").and_then(|rest| rest.strip_suffix(']')) {
            return self.variables.get(name).cloned().ok_or_else(|| {
                (
                    format!("@format reads the variable {name}, which is not set"),
                    format!("set {name}"),
                )
            });
        }
        let Some(path) = field.strip_prefix("this.") else {
            return Err((
                format!("@format does not know {{{field}}}"),
                "use {env[NAME]} or {this.section.key}".to_owned(),
            ));
        };
        if depth >= MAX_DEPTH {
            return Err((
                "@format refers to itself".to_owned(),
                "write one of the values out".to_owned(),
            ));
        }
        let absent = || {
            (
                format!("@format reads {path}, which has no single value"),
                format!("set {path}"),
            )
        };
        let node = self.settings.at(path).ok_or_else(absent)?;
        let cast = match &node.value {
            Value::Text(text) => self.cast(text, &node.source, depth + 1)?,
            _ => None,
        };
        plain(cast.as_ref().unwrap_or(&node.value)).ok_or_else(absent)
    }
}

/// A single value as text, `None` for lists, tables and null.
fn plain(value: &Value) -> Option<String> {
    let mut text = String::new();
    match value {
        Value::Null | Value::List(_) | Value::Table(_) => return None,
        Value::Bool(value) => write!(text, "{value}"),
        Value::Integer(value) => write!(text, "{value}"),
        Value::Float(value) => write!(text, "{value}"),
        Value::Text(value) => write!(text, "{value}"),
    }
    .ok()?;
    Some(text)
}

/// An integer as TOML writes one, or plain digits with leading zeros.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| match document::toml_value(text, &Source::Unset)?.value {
            Value::Integer(value) => Some(value),
            _ => None,
        })
}

#[cfg(test)]
mod tests;
