//! What a server offers to the methods it serves.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::admin::{Health, HealthModule};
use crate::config::{AnswerSettings, SettingError, Tables};
use crate::drain::Calls;
use crate::task::Tasks;
use crate::telemetry::Metrics;

/// Tells where clients shall read results: `grpc://HOST:PORT` or `grpc+tls://HOST:PORT`. Asked for every FlightInfo.
pub(crate) type Location = Arc<dyn Fn() -> String + Send + Sync>;

/// The server that a service lives in: its configuration, its address, its tasks. Clones are the same server.
#[derive(Clone)]
pub struct ServerContext(Arc<Offered>);

/// What a server context holds.
pub(crate) struct Offered {
    pub(crate) tables: Tables,
    pub(crate) location: Location,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    pub(crate) calls: Calls,
    pub(crate) answers: AnswerSettings,
}

impl ServerContext {
    pub(crate) fn new(offered: Offered) -> Self {
        Self(Arc::new(offered))
    }

    /// All tables of the configuration, without the server's own secrets.
    #[must_use]
    pub fn settings(&self) -> &Tables {
        &self.0.tables
    }

    /// A whole section of the configuration as a type of one's own, its defaults included.
    ///
    /// # Errors
    /// The first setting that is missing, or of another type.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, SettingError> {
        self.0.tables.section(name)
    }

    /// Where clients reach this server from outside: `grpc://HOST:PORT` or `grpc+tls://HOST:PORT`. May change, so it is
    /// asked for every FlightInfo.
    #[must_use]
    pub fn location(&self) -> String {
        (self.0.location)()
    }

    /// Runs what takes long, and keeps its results until they are read or expire. The end of the server waits for them.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// A module of the service that reports its own health: while it is not well, `/live` says so.
    #[must_use]
    pub fn health_module(&self, name: &str) -> HealthModule {
        self.0.health.module(name)
    }

    /// The metrics of the server. A service registers its own there.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn answers(&self) -> &AnswerSettings {
        &self.0.answers
    }

    pub(crate) fn calls(&self) -> &Calls {
        &self.0.calls
    }
}

impl fmt::Debug for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerContext")
            .field("settings", &self.0.tables)
            .field("tasks", &self.0.tasks)
            .finish_non_exhaustive()
    }
}
