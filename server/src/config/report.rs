//! Where a value came from, and what is wrong with it: all mistakes of a configuration are collected and told at once.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The place a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A settings file, and the line in it where the format tells.
    File(Arc<Path>, Option<usize>),
    /// An environment variable, by its whole name.
    Variable(Arc<str>),
    /// Nowhere: the setting is missing.
    Unset,
}

impl Source {
    pub(super) fn file(path: &Path) -> Self {
        Self::File(Arc::from(path), None)
    }

    /// The same file, at a line counted from 1.
    pub(super) fn at_line(&self, line: usize) -> Self {
        match self {
            Self::File(path, _) => Self::File(Arc::clone(path), Some(line)),
            Self::Variable(_) | Self::Unset => self.clone(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, None) => write!(f, "in {}", path.display()),
            Self::File(path, Some(line)) => write!(f, "in {}:{line}", path.display()),
            Self::Variable(name) => write!(f, "in the variable {name}"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

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
#[derive(Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Warning>,
}

impl Findings {
    pub(super) fn warn(&mut self, key: impl Into<String>, source: Source, text: impl Into<String>) {
        self.warnings.push(Warning {
            key: key.into(),
            source,
            text: text.into(),
        });
    }
}
