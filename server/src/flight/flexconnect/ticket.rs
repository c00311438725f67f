//! Tickets: which task's result to read.

use serde::Serialize;
use serde_json::Value;

use super::json;
use crate::error::FlightError;

/// `{"task_id": "…"}`; other keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ticket {
    /// The id as sent, which may be that of no task.
    pub task_id: String,
}

/// Why a ticket is none. The texts are part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not JSON by RFC 8259.
    #[error("Incorrect ticket payload. The ticket payload is not a valid JSON.")]
    NotJson,
    /// JSON, but not an object.
    #[error("Incorrect ticket payload. The ticket payload is not a JSON object.")]
    NotAnObject,
    /// No task, or an empty value in its place.
    #[error("Incorrect ticket payload. The ticket payload does not specify 'task_id'.")]
    NoTask,
    /// The task is not text.
    #[error("Incorrect ticket payload. The 'task_id' must be a string.")]
    TaskNotText,
}

impl From<TicketError> for FlightError {
    fn from(error: TicketError) -> Self {
        Self::bad_argument(error.to_string())
    }
}

impl Ticket {
    /// Reads a ticket.
    ///
    /// # Errors
    /// The first problem in the order JSON, task.
    pub fn parse(ticket: &[u8]) -> Result<Self, TicketError> {
        let ticket = json::parse(ticket).ok_or(TicketError::NotJson)?;
        let Value::Object(mut ticket) = ticket else {
            return Err(TicketError::NotAnObject);
        };
        match ticket.swap_remove("task_id") {
            Some(Value::String(task_id)) if !task_id.is_empty() => Ok(Self { task_id }),
            Some(Value::Null | Value::String(_)) | None => Err(TicketError::NoTask),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(TicketError::TaskNotText)
            }
        }
    }

    /// The ticket as clients are given it.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text is always JSON")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tickets_may_be_reformatted() {
        let ticket = Ticket { task_id: "a1".into() };
        assert_eq!(ticket.to_json(), r#"{"task_id":"a1"}"#);
        for text in [r#"{"task_id":"a1"}"#, " {\n \"x\" : [1], \"task_id\":\t\"a1\" } "] {
            assert_eq!(Ticket::parse(text.as_bytes()).as_ref(), Ok(&ticket));
        }
    }

    #[test]
    fn other_bytes_are_refused_with_one_sentence() {
        let cases: [(&[u8], TicketError); 10] = [
            (b"", TicketError::NotJson),
            (b"a1", TicketError::NotJson),
            (b"\xff", TicketError::NotJson),
            (br#"["task_id"]"#, TicketError::NotAnObject),
            (b"null", TicketError::NotAnObject),
            (b"{}", TicketError::NoTask),
            (br#"{"task_id":null}"#, TicketError::NoTask),
            (br#"{"task_id":""}"#, TicketError::NoTask),
            (br#"{"task_id":1}"#, TicketError::TaskNotText),
            (br#"{"task_id":["a1"]}"#, TicketError::TaskNotText),
        ];
        for (bytes, error) in cases {
            assert_eq!(Ticket::parse(bytes), Err(error), "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn every_id_survives_the_trip(task_id in "\\PC{1,40}") {
            let ticket = Ticket { task_id };
            prop_assert_eq!(Ticket::parse(ticket.to_json().as_bytes()), Ok(ticket));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Ticket::parse(&bytes);
        }
    }
}
