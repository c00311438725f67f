//! What happens to the fleet, told to people as sentences and to machines as one JSON object a line.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::Mutex;

use clap::ValueEnum;
use serde::Serialize;

/// How events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Sentences, and a table of the replicas.
    #[default]
    Table,
    /// One JSON object a line.
    Json,
}

/// Prints events, each at once and whole.
#[derive(Debug)]
pub(super) struct Reporter {
    format: Format,
    lock: Mutex<()>,
}

impl Reporter {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            lock: Mutex::new(()),
        }
    }

    /// Prints one event to stdout. Nobody reading it any more is no reason to stop a fleet.
    pub(super) fn report(&self, event: &(impl Serialize + Display)) {
        let text = match self.format {
            Format::Table => event.to_string(),
            // Events are structs of strings and numbers, which always have a JSON form.
            Format::Json => serde_json::to_string(event).unwrap_or_default(),
        };
        let _guard = self.lock.lock();
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
