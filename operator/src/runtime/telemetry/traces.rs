//! Spans leave for an OpenTelemetry collector: endpoint, headers, protocol, sampling and resource are those of the
//! standard `OTEL_*` variables.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, Tracer};
use tokio::runtime::{Builder, Runtime};

/// The name of the service, unless `OTEL_SERVICE_NAME` gives another.
const SERVICE: &str = "flexconnect-operator";
/// How long the last spans may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: check OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL")]
pub struct TracesError(#[source] Box<dyn Error + Send + Sync>);

/// Takes spans, and sends them in batches. Dropped, it sends what is left.
#[derive(Debug)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

/// How spans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Grpc,
    Http,
}

impl Traces {
    /// `None`: nobody asks for them.
    pub(super) fn from_environment() -> Result<Option<Self>, TracesError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let protocol = asked_for(variable).map_err(|text| TracesError(text.into()))?;
        protocol.map(Self::start).transpose()
    }

    fn start(protocol: Protocol) -> Result<Self, TracesError> {
        let resource = Resource::builder_empty()
            .with_service_name(SERVICE)
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            // What the variables say wins.
            .with_detector(Box::new(opentelemetry_sdk::resource::EnvResourceDetector::new()));
        let resource = match std::env::var("OTEL_SERVICE_NAME") {
            Ok(name) if !name.is_empty() => resource.with_service_name(name),
            _ => resource,
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(Remote::new(protocol)?)
            .build();
        Ok(Self { provider })
    }

    pub(super) fn tracer(&self) -> Tracer {
        self.provider.tracer(SERVICE)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

/// Whether, and how, the variables ask for traces.
fn asked_for(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Protocol>, String> {
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    if is_off || endpoint.is_none() {
        return Ok(None);
    }
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    match protocol.as_deref() {
        Some("grpc") => Ok(Some(Protocol::Grpc)),
        None | Some("http/protobuf") => Ok(Some(Protocol::Http)),
        Some(other) => Err(format!("there are the protocols grpc and http/protobuf, not {other:?}")),
    }
}

/// An exporter on a runtime of its own: spans are sent by a thread that has none, and the last ones when the operator's
/// has ended.
#[derive(Debug)]
struct Remote {
    exporter: Arc<SpanExporter>,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl Remote {
    fn new(protocol: Protocol) -> Result<Self, TracesError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("traces")
            .enable_all()
            .build()
            .map_err(|error| TracesError(error.into()))?;
        let within = runtime.enter();
        let exporter = match protocol {
            Protocol::Grpc => SpanExporter::builder().with_tonic().build(),
            Protocol::Http => SpanExporter::builder().with_http().build(),
        };
        let exporter = exporter.map_err(|error| TracesError(error.into()))?;
        drop(within);
        Ok(Self {
            exporter: Arc::new(exporter),
            runtime: Some(runtime),
        })
    }
}

impl opentelemetry_sdk::trace::SpanExporter for Remote {
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
impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[rstest]
    #[case::nothing(&[], Ok(None))]
    #[case::endpoint(&[ENDPOINT], Ok(Some(Protocol::Http)))]
    #[case::grpc(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Ok(Some(Protocol::Grpc)))]
    #[case::traces_alone(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a")], Ok(Some(Protocol::Http)))]
    #[case::off(&[ENDPOINT, ("OTEL_SDK_DISABLED", "true")], Ok(None))]
    #[case::no_traces(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")], Ok(None))]
    #[case::unknown(
        &[ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")],
        Err("there are the protocols grpc and http/protobuf, not \"http/json\"".to_owned()))]
    fn the_standard_variables_decide(
        #[case] variables: &[(&str, &str)],
        #[case] expected: Result<Option<Protocol>, String>,
    ) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(asked_for(variable), expected);
    }
}
