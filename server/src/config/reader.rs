//! Typed access to one section: a value of the wrong type or out of range becomes a mistake, and reading goes on.

use std::ops::RangeInclusive;

use super::casts;
use super::report::{Findings, Mistake, Source};
use super::tree::{Node, Table, Value};

/// A mistake was noted; there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted;

/// Reads settings of one section.
pub(super) struct Reader<'a> {
    section: &'static str,
    table: Option<&'a Table>,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    /// The section's reader; a section that is not a table is a mistake.
    pub(super) fn new(settings: &'a Table, section: &'static str, findings: &'a mut Findings) -> Self {
        let table = match settings.get(section) {
            Some(Node {
                value: Value::Table(table),
                ..
            }) => Some(table),
            None | Some(Node { value: Value::Null, .. }) => None,
            Some(node) => {
                findings.mistakes.push(Mistake {
                    key: section.to_owned(),
                    value: Some(node.shown(section)),
                    source: node.source.clone(),
                    problem: "a section must be a table of settings".to_owned(),
                    fix: format!("write [{section}] and its settings below"),
                });
                None
            }
        };
        Self {
            section,
            table,
            findings,
        }
    }

    /// The value, when the setting is there and not null.
    pub(super) fn node(&self, setting: &str) -> Option<&'a Node> {
        self.table?.get(setting).filter(|node| node.value != Value::Null)
    }

    /// Where the setting was written.
    pub(super) fn source(&self, setting: &str) -> Source {
        self.node(setting).map_or(Source::Unset, |node| node.source.clone())
    }

    /// Notes that a setting, or its absence, is wrong.
    pub(super) fn refuse(&mut self, setting: &str, problem: impl Into<String>, fix: impl Into<String>) -> Noted {
        let key = format!("{}.{setting}", self.section);
        let node = self.node(setting);
        self.findings.mistakes.push(Mistake {
            value: node.map(|node| node.shown(&key)),
            source: self.source(setting),
            key,
            problem: problem.into(),
            fix: fix.into(),
        });
        Noted
    }

    pub(super) fn warn(&mut self, setting: &str, text: impl Into<String>) {
        let source = self.source(setting);
        self.findings.warn(format!("{}.{setting}", self.section), source, text);
    }

    /// A boolean, in any of the spellings that say yes or no.
    pub(super) fn flag(&mut self, setting: &str) -> Result<bool, Noted> {
        let meaning = match self.node(setting).map(|node| &node.value) {
            None => Some(false),
            Some(Value::Bool(value)) => Some(*value),
            Some(Value::Integer(value)) => casts::flag(&value.to_string()),
            Some(Value::Text(text)) => casts::flag(text),
            Some(Value::Null | Value::Float(_) | Value::List(_) | Value::Table(_)) => None,
        };
        meaning.ok_or_else(|| {
            self.refuse(
                setting,
                "must be true or false",
                format!("write {setting} = true or false"),
            )
        })
    }

    /// An integer within a range; texts in digits and floats without a fraction count.
    pub(super) fn integer(
        &mut self,
        setting: &str,
        range: RangeInclusive<i64>,
        default: i64,
        what: &str,
    ) -> Result<i64, Noted> {
        let value = match self.node(setting).map(|node| &node.value) {
            None => return Ok(default),
            Some(Value::Integer(value)) => Some(*value),
            Some(Value::Float(value)) => integral(*value),
            Some(Value::Text(text)) => casts::integer(text),
            Some(Value::Null | Value::Bool(_) | Value::List(_) | Value::Table(_)) => None,
        };
        value.filter(|value| range.contains(value)).ok_or_else(|| {
            let fix = format!("write an integer from {} to {}", range.start(), range.end());
            self.refuse(setting, format!("must be {what}"), fix)
        })
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, setting: &str, what: &str) -> Result<Option<String>, Noted> {
        let problem = format!("must be {what}");
        match self.node(setting).map(|node| &node.value) {
            None => Ok(None),
            Some(Value::Text(text)) if text.trim().is_empty() => Err(self.refuse(
                setting,
                problem,
                "write one, or remove the setting: an empty text is not the default",
            )),
            Some(Value::Text(text)) => Ok(Some(text.trim().to_owned())),
            // A text made of digits arrives from the environment as an integer.
            Some(Value::Integer(value)) => Ok(Some(value.to_string())),
            Some(Value::Null | Value::Bool(_) | Value::Float(_) | Value::List(_) | Value::Table(_)) => {
                Err(self.refuse(setting, problem, "write a text in quotes"))
            }
        }
    }
}

/// The integer that a float is, when it is one.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and the fraction is zero"
)]
fn integral(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::document;
    use super::*;

    fn read<T>(value: &str, read: impl FnOnce(&mut Reader<'_>) -> T) -> (T, Vec<String>) {
        let settings = document::toml(&format!("[server]\nx = {value}"), &Source::Unset).unwrap();
        let mut findings = Findings::default();
        let result = read(&mut Reader::new(&settings, "server", &mut findings));
        (result, findings.mistakes.iter().map(ToString::to_string).collect())
    }

    #[rstest]
    #[case("true", Ok(true))]
    #[case("'TRUE'", Ok(true))]
    #[case("'yes'", Ok(true))]
    #[case("'On'", Ok(true))]
    #[case("1", Ok(true))]
    #[case("'false'", Ok(false))]
    #[case("'FALSE'", Ok(false))]
    #[case("'no'", Ok(false))]
    #[case("'off'", Ok(false))]
    #[case("0", Ok(false))]
    #[case("'maybe'", Err(Noted))]
    #[case("2", Err(Noted))]
    #[case("''", Err(Noted))]
    #[case("1.0", Err(Noted))]
    #[case("[true]", Err(Noted))]
    fn booleans_mean_what_they_say(#[case] value: &str, #[case] expected: Result<bool, Noted>) {
        let (flag, mistakes) = read(value, |reader| reader.flag("x"));
        assert_eq!((flag, mistakes.len()), (expected, usize::from(expected.is_err())));
    }

    #[rstest]
    #[case("17", Ok(17))]
    #[case("'17'", Ok(17))]
    #[case("'0017'", Ok(17))]
    #[case("17.0", Ok(17))]
    #[case("1e1", Ok(10))]
    #[case("1.5", Err(Noted))]
    #[case("true", Err(Noted))]
    #[case("'seventeen'", Err(Noted))]
    #[case("0", Err(Noted))]
    #[case("101", Err(Noted))]
    #[case("inf", Err(Noted))]
    #[case("nan", Err(Noted))]
    fn integers_are_whole_and_in_range(#[case] value: &str, #[case] expected: Result<i64, Noted>) {
        let (integer, mistakes) = read(value, |reader| reader.integer("x", 1..=100, 5, "a percentage"));
        assert_eq!((integer, mistakes.len()), (expected, usize::from(expected.is_err())));
    }

    #[test]
    fn a_mistake_names_key_value_source_and_fix() {
        let (_, mistakes) = read("70_000", |reader| {
            reader.integer("x", 1..=65_535, 1, "a valid port number")
        });
        let expected = "server.x = 70000 (not set): must be a valid port number; write an integer from 1 to 65535";
        assert_eq!(mistakes, [expected]);
    }

    #[rstest]
    #[case("'abc'", Ok(Some("abc")))]
    #[case("'@none'", Ok(Some("@none")))]
    #[case("12", Ok(Some("12")))]
    #[case("''", Err(Noted))]
    #[case("['a']", Err(Noted))]
    fn texts(#[case] value: &str, #[case] expected: Result<Option<&str>, Noted>) {
        let (text, _) = read(value, |reader| reader.text("x", "a text"));
        assert_eq!(text, expected.map(|text| text.map(str::to_owned)));
    }
}
