//! Opens the ports for health and metrics.

use std::io;

use super::Status;
use super::endpoint::Admin;
use super::{probes, scrape};
use crate::config::HostPort;
use crate::net::{BindError, listen};

/// Why health and metrics cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A port cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no thread, or no runtime.
    #[error("the thread for health and metrics cannot be started")]
    Thread(#[from] io::Error),
}

/// Opens the ports that have an address, and serves them until the process ends.
///
/// # Errors
/// When one of them cannot be opened or served.
pub(crate) async fn open(
    health: Option<&HostPort>,
    metrics: Option<&HostPort>,
    status: Status,
) -> Result<(), OpenError> {
    if health.is_none() && metrics.is_none() {
        return Ok(());
    }
    let admin = Admin::start()?;
    if let Some(address) = metrics {
        let (listener, bound) = listen::bind(address, listen::METRICS).await?;
        scrape::serve(&admin, listener, status.metrics().clone())?;
        tracing::info!(host = address.host, port = bound.port(), "metrics_started");
    }
    if let Some(address) = health {
        let (listener, bound) = listen::bind(address, listen::HEALTH).await?;
        probes::serve(&admin, listener, status)?;
        tracing::info!(host = address.host, port = bound.port(), "health_check_started");
    }
    Ok(())
}
