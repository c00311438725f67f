//! A server that serves.

use std::net::SocketAddr;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::config::DrainSettings;
use crate::drain::{self, Calls, Pending, Phase};
use crate::task::{Load, Tasks};
use crate::worker::Python;

/// A server that serves. Dropping it closes the Flight port and cuts calls off; [`Running::drain`] ends it in order.
#[derive(Debug)]
pub struct Running {
    pub(super) address: SocketAddr,
    pub(super) location: String,
    pub(super) phase: watch::Sender<Phase>,
    pub(super) tasks: Tasks,
    pub(super) calls: Calls,
    pub(super) drain: DrainSettings,
    pub(super) accepting: AbortOnDropHandle<()>,
    pub(super) _beating: AbortOnDropHandle<()>,
    pub(super) _following: AbortOnDropHandle<()>,
    /// The workers of functions in Python.
    pub(super) python: Option<Python>,
}

impl Running {
    /// The address that Flight listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients are sent for results.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// What its tasks are doing right now.
    #[must_use]
    pub fn load(&self) -> Load {
        self.tasks.load()
    }

    /// Ends the server in order: serves until the news has spread, finishes what runs, lets results be read. Returns
    /// what was still pending when the time was up; idle, normally.
    pub async fn drain(self) -> Pending {
        tracing::info!("server_shutdown_initiated");
        let left = drain::drain(&self.phase, &self.tasks, &self.calls, self.drain).await;
        // It ends by itself, since the phase is `Stopped`.
        let _ = self.accepting.await;
        if let Some(python) = self.python {
            python.stop().await;
        }
        tracing::info!("server_main_finished");
        left
    }
}
