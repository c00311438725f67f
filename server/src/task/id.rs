//! Task ids.

use std::fmt;

use uuid::Uuid;

/// The name of a task: on the wire 32 lower-case hexadecimal digits. Who knows it can read, poll and cancel the task.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(Uuid);

impl TaskId {
    /// An id that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads an id exactly as [`fmt::Display`] writes it. Any other text is the id of no task.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| Uuid::try_parse(text).ok().map(Self)).flatten()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.simple(), f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written_and_not_otherwise() {
        let id = TaskId::random();
        let text = id.to_string();
        assert_eq!(text.len(), 32);
        assert_eq!(TaskId::parse(&text), Some(id));
        assert_eq!(
            TaskId::parse(&text.to_uppercase()).filter(|_| text != text.to_uppercase()),
            None
        );
        for other in [
            "",
            "x",
            &text[1..],
            &format!("{text}0"),
            "67e55044-10b1-426f-9247-bb680e5fe0c8",
        ] {
            assert_eq!(TaskId::parse(other), None);
        }
    }
}
