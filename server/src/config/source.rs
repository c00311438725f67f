//! Where a value was written.

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
