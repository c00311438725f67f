//! Reads TOML, YAML and JSON texts into tables, every value marked with its source.

mod toml;

use std::fmt;

use ::toml::de::{DeTable, DeValue};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::source::Source;
use super::tree::{MAX_PARTS, Node, Table, Value};

/// A TOML document. Values know their lines; errors are one line of text with the place.
pub(super) fn toml(text: &str, source: &Source) -> Result<Table, String> {
    let place = |error: &::toml::de::Error| match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or_default();
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
            format!(
                "line {}, column {}: {}",
                before.matches('\n').count() + 1,
                column + 1,
                one_line(error.message())
            )
        }
        None => one_line(error.message()),
    };
    let document = DeTable::parse(text).map_err(|error| place(&error))?;
    let lines = toml::Lines::new(text, source);
    top_level(toml::table(document.get_ref(), document.span().start, &lines)?)
}

/// A YAML document; an empty one is an empty table.
pub(super) fn yaml(text: &str, source: &Source) -> Result<Table, String> {
    let document = serde_yaml::Deserializer::from_str(text);
    top_level(
        Seed(source)
            .deserialize(document)
            .map_err(|error| one_line(&error.to_string()))?,
    )
}

/// A JSON document.
pub(super) fn json(text: &str, source: &Source) -> Result<Table, String> {
    top_level(json_value(text, source)?)
}

/// Any JSON value.
pub(super) fn json_value(text: &str, source: &Source) -> Result<Node, String> {
    let mut document = serde_json::Deserializer::from_str(text);
    let node = Seed(source)
        .deserialize(&mut document)
        .map_err(|error| one_line(&error.to_string()))?;
    document.end().map_err(|error| one_line(&error.to_string()))?;
    Ok(node)
}

/// The right-hand side of a TOML assignment, or `None` when it is not one.
pub(super) fn toml_value(text: &str, source: &Source) -> Option<Node> {
    let value = DeValue::parse(text.trim_matches([' ', '\t'])).ok()?;
    toml::value(&value, &toml::Lines::none(source)).ok()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The table of a document. A first-level name may spell a path: `server.listen_port`, `server__listen_port`.
fn top_level(node: Node) -> Result<Table, String> {
    let table = match node.value {
        Value::Table(table) => table,
        Value::Null => return Ok(Table::default()),
        _ => return Err("the document is not a table of sections".to_owned()),
    };
    let mut paths = Table::default();
    for (name, node) in table.into_nodes() {
        let dotted = name.replace("__", ".");
        let parts: Vec<&str> = dotted.split('.').collect();
        if parts.len() > MAX_PARTS {
            return Err(format!("a name has more than {MAX_PARTS} parts"));
        }
        let path = if parts.iter().any(|part| part.is_empty()) {
            vec![name.as_str()]
        } else {
            parts
        };
        paths.set_path(&path, node);
    }
    Ok(paths)
}

/// Turns what a deserializer holds into a node.
#[derive(Clone, Copy)]
struct Seed<'s>(&'s Source);

impl Seed<'_> {
    fn node(self, value: Value) -> Node {
        Node::new(value, self.0.clone())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(self.node(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(self.node(Value::Integer(value)))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "as the original: integers beyond 64 bits become floats"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(self.node(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(self.node(Value::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(self.node(Value::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.node(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(self.node(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self)? {
            items.push(item);
        }
        Ok(self.node(Value::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut table = Table::default();
        while let Some(key) = map.next_key_seed(self)? {
            let name = match key.value {
                Value::Text(name) => name,
                Value::Integer(name) => name.to_string(),
                Value::Float(name) => name.to_string(),
                Value::Bool(name) => name.to_string(),
                Value::Null | Value::List(_) | Value::Table(_) => {
                    return Err(A::Error::custom("a name must be a text"));
                }
            };
            let node = map.next_value_seed(self)?;
            table.set(&name, node);
        }
        Ok(self.node(Value::Table(table)))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn json_of(table: Result<Table, String>) -> String {
        serde_json::to_string(&table.unwrap().to_json()).unwrap()
    }

    #[rstest]
    #[case::section("[server]\nlisten_port = 9")]
    #[case::dotted("server.listen_port = 9")]
    #[case::underscores("server__listen_port = 9")]
    #[case::quoted("'server.listen_port' = 9")]
    #[case::any_case("[SERVER]\nListen_Port = 9")]
    fn toml_spells_a_setting_in_many_ways(#[case] text: &str) {
        assert_eq!(json_of(toml(text, &Source::Unset)), r#"{"server":{"listen_port":9}}"#);
    }

    #[test]
    fn formats_agree() {
        let expected = r#"{"a":{"b":[1,2.5,true,"x"]}}"#;
        assert_eq!(json_of(toml("[a]\nb = [1, 2.5, true, 'x']", &Source::Unset)), expected);
        assert_eq!(json_of(yaml("a:\n  b: [1, 2.5, true, x]", &Source::Unset)), expected);
        assert_eq!(
            json_of(json(r#"{"a":{"b":[1,2.5,true,"x"]}}"#, &Source::Unset)),
            expected
        );
    }

    #[test]
    fn a_date_is_a_text() {
        assert_eq!(
            json_of(toml("[a]\nb = 2024-01-01", &Source::Unset)),
            r#"{"a":{"b":"2024-01-01"}}"#
        );
    }

    #[test]
    fn values_of_toml_know_their_lines() {
        let text = "x.y = 1\n[a]\nb = 1\n\nc = [\n  5,\n]\n[[d]]\ne = {f = 1}";
        let table = toml(text, &Source::file("t.toml".as_ref())).unwrap();
        let line = |key: &str| table.at(key).unwrap().source.to_string();
        assert_eq!(
            ["x.y", "a", "a.b", "a.c", "d"].map(line),
            [1, 2, 3, 5, 8].map(|line| format!("in t.toml:{line}"))
        );
    }

    #[test]
    fn an_empty_yaml_document_is_an_empty_table() {
        assert_eq!(json_of(yaml("# nothing\n", &Source::Unset)), "{}");
    }

    #[test]
    fn a_name_spells_no_endless_path() {
        let name = vec!["a"; 100_000].join(".");
        let error = toml(&format!("'{name}' = 1"), &Source::Unset).unwrap_err();
        assert_eq!(error, "a name has more than 32 parts");
    }

    #[test]
    fn errors_name_the_place() {
        let error = toml("[a]\nb = = 1", &Source::Unset).unwrap_err();
        assert!(error.starts_with("line 2, column 5: "), "{error}");
        let error = toml(
            "[a]\nb = 1_000_000_000_000_000_000_000_000_000_000_000_000_000",
            &Source::Unset,
        )
        .unwrap_err();
        assert_eq!(error, "line 2: the integer is too large");
        assert_eq!(
            json("[1]", &Source::Unset).unwrap_err(),
            "the document is not a table of sections"
        );
    }
}
