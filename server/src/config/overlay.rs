//! How a layer of the configuration lies over those below it.

use super::casts;
use super::report::Findings;
use super::tree::{Node, Table, Value};

/// The key that says how a table, or a list, meets the one below it.
const MARKER: &str = "dynaconf_merge";

/// What becomes of what is below.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Tables merge key by key, everything else is replaced: the rule.
    Merge,
    /// `dynaconf_merge = true`: tables merge, lists are appended.
    Append,
    /// `dynaconf_merge = false`: the table below is forgotten.
    Replace,
}

impl Manner {
    /// How the tables inside a table are laid over; replacing speaks about one table only.
    fn within(self) -> Self {
        match self {
            Self::Append => Self::Append,
            Self::Merge | Self::Replace => Self::Merge,
        }
    }
}

/// Lays `upper` over a table: tables merge key by key, other values of the upper layer win, unless `dynaconf_merge` or
/// `@merge` says that they are added.
pub(super) fn overlay(below: &mut Table, upper: Table, findings: &mut Findings) {
    tables(below, upper, Manner::Merge, "", findings);
}

fn tables(below: &mut Table, mut upper: Table, inherited: Manner, path: &str, findings: &mut Findings) {
    let manner = take_marker(&mut upper).unwrap_or(inherited);
    if manner == Manner::Replace {
        *below = Table::default();
    }
    for (spelling, node) in upper.into_nodes() {
        let name = spelling.to_lowercase();
        let here = if path.is_empty() {
            name
        } else {
            format!("{path}.{name}")
        };
        let slot = below.slot(&spelling);
        match casts::merge_operand(&node) {
            Some(addition) if takes(slot, &addition) => values(slot, addition, Manner::Append, &here, findings),
            Some(_) => findings.refuse(
                here,
                &node,
                "@merge adds to a list or a table, and the value below it is of another kind",
                "write the whole value without @merge",
            ),
            None => values(slot, node, manner.within(), &here, findings),
        }
    }
}

fn values(below: &mut Node, above: Node, manner: Manner, path: &str, findings: &mut Findings) {
    match above.value {
        Value::Table(table) => {
            if !matches!(below.value, Value::Table(_)) {
                *below = Node::new(Value::Table(Table::default()), above.source);
            }
            if let Value::Table(below) = &mut below.value {
                tables(below, table, manner, path, findings);
            }
        }
        Value::List(mut items) => {
            let marked = items.iter().any(is_marker);
            items.retain(|item| !is_marker(item));
            match &mut below.value {
                Value::List(below) if marked || manner == Manner::Append => below.extend(items),
                _ => *below = Node::new(Value::List(items), above.source),
            }
        }
        value => *below = Node::new(value, above.source),
    }
}

/// Whether `addition` can be merged into what is below.
fn takes(below: &Node, addition: &Node) -> bool {
    matches!(
        (&below.value, &addition.value),
        (Value::Null, _) | (Value::List(_), Value::List(_)) | (Value::Table(_), Value::Table(_))
    )
}

/// Takes the marker out: it speaks about the table and is no setting.
fn take_marker(table: &mut Table) -> Option<Manner> {
    match table.remove(MARKER)?.value {
        Value::Bool(false) => Some(Manner::Replace),
        Value::Text(text) if casts::flag(&text) == Some(false) => Some(Manner::Replace),
        _ => Some(Manner::Append),
    }
}

fn is_marker(item: &Node) -> bool {
    matches!(&item.value, Value::Text(text) if text == MARKER)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;
    use crate::config::document;
    use crate::config::schema;
    use crate::config::source::Source;

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
        let mut findings = Findings::new(schema::is_secret);
        let mut merged = Table::default();
        overlay(&mut merged, table(below), &mut findings);
        overlay(&mut merged, table(above), &mut findings);
        assert!(findings.mistakes.is_empty());
        assert_eq!(serde_json::to_string(&merged.to_json()).unwrap(), expected);
    }

    #[test]
    fn merging_into_another_kind_is_a_mistake() {
        let mut findings = Findings::new(schema::is_secret);
        let mut merged = table("[a]\nx = 5");
        overlay(&mut merged, table("[a]\nx = '@merge [2]'"), &mut findings);
        assert_eq!(findings.mistakes[0].key, "a.x");
    }
}
