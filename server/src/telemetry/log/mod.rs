//! Structured logs: one event per line on stderr, its name in the message of the log call, its keys in the fields.
//!
//! `tracing::info!(task_id = %id, "task_run")` is the line `{"task_id":"…","logger":"…","level":"info","timestamp":"…",
//! "event":"task_run"}`. A field `json.NAME` holds JSON text and becomes an object; `exception` comes last. Fields of
//! spans are keys of all events within; those with a dot in their names are for traces only.

mod fields;
mod layer;
mod line;
mod rate;
mod sink;

pub(super) use layer::{Lines, Output, ParentSpan};
pub use line::Style;
pub(super) use line::dropped;
pub use rate::RateLimit;
pub(super) use sink::Sink;

#[cfg(test)]
mod tests;
