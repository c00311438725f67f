//! Typed access to one section: a value of the wrong type or out of range becomes a mistake, and reading goes on.

use super::report::{Findings, Mistake};
use super::setting::{Fallback, Kind, Refusal, Setting};
use super::source::Source;
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
                let fix = format!("write [{section}] and its settings below");
                findings.refuse(section, node, "a section must be a table of settings", fix);
                None
            }
        };
        Self {
            section,
            table,
            findings,
        }
    }

    /// Whether the section is not there at all.
    pub(super) fn is_absent(&self) -> bool {
        self.table.is_none()
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
        match self.node(setting) {
            Some(node) => self.findings.refuse(key, node, problem, fix),
            None => self.findings.mistakes.push(Mistake {
                key,
                value: None,
                source: Source::Unset,
                problem: problem.into(),
                fix: fix.into(),
            }),
        }
        Noted
    }

    pub(super) fn warn(&mut self, setting: &str, text: impl Into<String>) {
        let source = self.source(setting);
        self.findings.warn(format!("{}.{setting}", self.section), source, text);
    }

    /// The setting, or its default; a value that cannot be used is noted.
    pub(super) fn read<K: Kind, D: Fallback<K>>(&mut self, setting: &Setting<K, D>) -> Result<D::Read, Noted> {
        let Some(node) = self.node(setting.name) else {
            return Ok(setting.default.absent());
        };
        match setting.takes.read(setting.name, &node.value) {
            Ok(value) => Ok(setting.default.written(value)),
            Err(Refusal { problem, fix }) => Err(self.refuse(setting.name, problem, fix)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::super::kinds::Port;
    use super::super::setting::Is;
    use super::*;

    #[test]
    fn a_mistake_names_key_value_source_and_fix() {
        let setting = Setting {
            name: "x",
            takes: Port,
            default: Is(1),
            text: "",
        };
        let settings = document::toml("[server]\nx = 70_000", &Source::Unset).unwrap();
        let mut findings = Findings::new(|_, _| false);
        assert_eq!(
            Reader::new(&settings, "server", &mut findings).read(&setting),
            Err(Noted)
        );
        let expected = "server.x = 70000 (not set): must be a valid port number; write an integer from 1 to 65535";
        assert_eq!(findings.mistakes[0].to_string(), expected);
        assert_eq!(Reader::new(&settings, "other", &mut findings).read(&setting), Ok(1));
    }
}
