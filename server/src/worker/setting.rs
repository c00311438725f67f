//! What the workers of one server are for.

use serde_json::{Map, Value};

use super::PythonVerifier;
use crate::admin::Health;
use crate::config::{Config, PythonSection, ServerSection};
use crate::memory::Room;
use crate::telemetry::Metrics;

/// What the workers are for.
pub(crate) struct Setting<'a> {
    pub(crate) python: &'a PythonSection,
    pub(crate) server: &'a ServerSection,
    /// All tables, as functions may read them.
    pub(crate) tables: &'a Map<String, Value>,
    pub(crate) location: &'a str,
    pub(crate) metrics: Metrics,
    /// What `/ready` and `/live` follow; `None` where nobody asks.
    pub(crate) health: Option<Health>,
    /// Who has a strategy of theirs decide about tokens.
    pub(crate) verifier: Option<PythonVerifier>,
    /// Where results are kept; `None` where they are not.
    pub(crate) room: Option<Room>,
}

impl<'a> Setting<'a> {
    /// For workers that nobody asks for.
    pub(crate) fn new(
        python: &'a PythonSection,
        server: &'a ServerSection,
        tables: &'a Map<String, Value>,
        location: &'a str,
    ) -> Self {
        Self {
            python,
            server,
            tables,
            location,
            metrics: Metrics::new(),
            health: None,
            verifier: None,
            room: None,
        }
    }

    /// For functions that are called without a server around them.
    pub(crate) fn alone(config: &'a Config, location: &'a str) -> Self {
        Self::new(&config.python, &config.server, &config.tables, location)
    }

    /// For a server whose tokens they decide about.
    pub(crate) fn deciding(mut self, verifier: Option<PythonVerifier>) -> Self {
        self.verifier = verifier;
        self
    }

    /// Whether there is anything for workers to do.
    pub(crate) fn needs_workers(&self) -> bool {
        self.python.serves() || self.verifier.is_some()
    }

    /// For a server that shows how its workers are, and keeps their results.
    pub(crate) fn served_by(mut self, metrics: Metrics, health: Health, room: Room) -> Self {
        (self.metrics, self.health, self.room) = (metrics, Some(health), Some(room));
        self
    }
}
