//! Exporters that need a Tokio runtime, on one of their own: spans are sent by a thread that has none, and the last ones
//! when the server's runtime has ended.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::runtime::{Builder, Runtime};

use super::{Built, TracesError};

/// An exporter and the runtime that it runs on.
pub(super) struct Remote<E> {
    exporter: Arc<E>,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl<E: SpanExporter + 'static> Remote<E> {
    pub(super) fn new(build: impl FnOnce() -> Built<E>) -> Result<Self, TracesError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .map_err(|error| TracesError(error.into()))?;
        let exporter = {
            let _within = runtime.enter();
            build().map_err(TracesError)?
        };
        Ok(Self {
            exporter: Arc::new(exporter),
            runtime: Some(runtime),
        })
    }
}

impl<E: SpanExporter + 'static> SpanExporter for Remote<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let Some(runtime) = &self.runtime else {
            return Err(OTelSdkError::AlreadyShutdown);
        };
        let exporter = Arc::clone(&self.exporter);
        let sent = runtime.spawn(async move { exporter.export(batch).await });
        sent.await
            .unwrap_or_else(|error| Err(OTelSdkError::InternalFailure(error.to_string())))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Told before the first batch, while nobody else holds the exporter.
        if let Some(exporter) = Arc::get_mut(&mut self.exporter) {
            exporter.set_resource(resource);
        }
    }
}

/// Does not wait: a collector that hangs must not keep the process.
impl<E> Drop for Remote<E> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Remote<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.exporter).finish()
    }
}
