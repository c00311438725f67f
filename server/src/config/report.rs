//! What is wrong with a configuration: all mistakes are collected and told at once.

use std::fmt;

use super::shown::{self, Secrets};
use super::source::Source;
use super::tree::Node;

/// One thing that is wrong with the configuration: the start is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The setting, `section.key`; empty when a whole file is meant.
    pub key: String,
    /// The value as it may be shown: secrets are hidden, long texts are cut. `None` when there is no value.
    pub value: Option<String>,
    /// Where the value was written.
    pub source: Source,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.value) {
            ("", _) => {}
            (key, None) => write!(f, "{key} ({}): ", self.source)?,
            (key, Some(value)) => write!(f, "{key} = {value} ({}): ", self.source)?,
        }
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

/// All mistakes of one configuration, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration has a mistake: {one}"),
            many => {
                write!(f, "the configuration has {} mistakes:", many.len())?;
                many.iter().try_for_each(|mistake| write!(f, "\n  - {mistake}"))
            }
        }
    }
}

impl std::error::Error for Mistakes {}

/// Something that is probably not meant, but does not stop the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting, `section.key`, or the variable's name.
    pub key: String,
    /// Where it was written.
    pub source: Source,
    /// What happens, and what was probably meant.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Unset => write!(f, "{} {}", self.key, self.text),
            source => write!(f, "{} ({source}) {}", self.key, self.text),
        }
    }
}

/// Collects what is found while a configuration is put together.
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Warning>,
    secrets: Secrets,
}

impl Findings {
    /// Nothing so far. Values are shown unless they are secrets.
    pub(super) const fn new(secrets: Secrets) -> Self {
        Self {
            mistakes: Vec::new(),
            warnings: Vec::new(),
            secrets,
        }
    }

    /// Notes that the value of a key is wrong.
    pub(super) fn refuse(
        &mut self,
        key: impl Into<String>,
        node: &Node,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let key = key.into();
        self.mistakes.push(Mistake {
            value: Some(shown::in_words(node, &key, self.secrets)),
            key,
            source: node.source.clone(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, source: Source, text: impl Into<String>) {
        self.warnings.push(Warning {
            key: key.into(),
            source,
            text: text.into(),
        });
    }
}
