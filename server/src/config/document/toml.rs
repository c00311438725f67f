//! TOML as it was parsed, with lines, into tables.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::source::Source;
use crate::config::tree::{Node, Table, Value};

/// Tells the source of a place in a text.
pub(super) struct Lines<'s> {
    source: &'s Source,
    /// Where lines begin; empty when lines mean nothing.
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(super) fn new(text: &str, source: &'s Source) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            source,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// Of a text that is no file.
    pub(super) fn none(source: &'s Source) -> Self {
        Self {
            source,
            starts: Vec::new(),
        }
    }

    fn source(&self, at: usize) -> Source {
        match self.starts.partition_point(|start| *start <= at) {
            0 => self.source.clone(),
            line => self.source.at_line(line),
        }
    }

    fn error(&self, at: usize, text: &str) -> String {
        match self.starts.partition_point(|start| *start <= at) {
            0 => text.to_owned(),
            line => format!("line {line}: {text}"),
        }
    }
}

pub(super) fn table(table: &DeTable<'_>, at: usize, lines: &Lines<'_>) -> Result<Node, String> {
    let mut entries = Table::default();
    for (name, node) in table {
        let node = value_at(node, name.span().start, lines)?;
        entries.set(name.get_ref(), node);
    }
    Ok(Node::new(Value::Table(entries), lines.source(at)))
}

pub(super) fn value(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Result<Node, String> {
    value_at(value, value.span().start, lines)
}

/// A value is where its name is written.
fn value_at(value: &Spanned<DeValue<'_>>, at: usize, lines: &Lines<'_>) -> Result<Node, String> {
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(integer) => {
            number(integer.as_str(), integer.radix()).ok_or_else(|| lines.error(at, "the integer is too large"))?
        }
        DeValue::Float(float) => Value::Float(
            float
                .as_str()
                .parse()
                .map_err(|_| lines.error(at, "this is no number"))?,
        ),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| self::value(item, lines));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => return table(entries, at, lines),
    };
    Ok(Node::new(value, lines.source(at)))
}

/// Integers beyond 64 bits become floats, as they do in the original.
#[allow(clippy::cast_precision_loss, reason = "that is what becoming a float means")]
fn number(digits: &str, radix: u32) -> Option<Value> {
    let integer = i64::from_str_radix(digits, radix).ok().map(Value::Integer);
    integer.or_else(|| Some(Value::Float(i128::from_str_radix(digits, radix).ok()? as f64)))
}
