//! Traces: spans leave for an OpenTelemetry collector, as the settings say; without an exporter nothing of this costs.

mod console;
mod remote;
mod resource;

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter, Tracer};

use crate::config::{TraceExporter, TraceSettings};
use console::Console;
use remote::Remote;

/// The scope that spans are said to come from, as in the original.
const SCOPE: &str = "gooddata_flight_server";

/// How long the last spans may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whether spans go anywhere. The subscriber that sends them is the process's too.
static ON: AtomicBool = AtomicBool::new(false);

pub(super) fn are_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent: check server.otel_exporter_type and the OTEL_EXPORTER_* variables")]
pub struct TracesError(#[source] Box<dyn Error + Send + Sync>);

/// Takes spans and sends them in batches. Dropped, it sends what is left, for as long as that may take.
#[derive(Debug)]
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Sends spans from now on. Batches and sampling are those of the standard `OTEL_*` variables.
    pub(super) fn start(settings: &TraceSettings) -> Result<Self, TracesError> {
        let TraceSettings {
            exporter,
            service_name: _,
            service_namespace: _,
            service_instance_id: _,
            extract_context,
        } = settings;
        let builder = SdkTracerProvider::builder().with_resource(resource::of(settings));
        let provider = match exporter {
            TraceExporter::Console => builder.with_batch_exporter(Console::new(io::stdout())),
            TraceExporter::OtlpGrpc => builder.with_batch_exporter(Remote::new(otlp_grpc)?),
            TraceExporter::OtlpHttp => builder.with_batch_exporter(Remote::new(otlp_http)?),
            TraceExporter::Zipkin => builder.with_batch_exporter(Remote::new(zipkin)?),
        };
        if *extract_context {
            global::set_text_map_propagator(TraceContextPropagator::new());
        }
        ON.store(true, Ordering::Relaxed);
        Ok(Self {
            provider: provider.build(),
        })
    }

    pub(super) fn tracer(&self) -> Tracer {
        self.provider.tracer(SCOPE)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FAREWELL) {
            tracing::warn!(%error, "traces_lost");
        }
    }
}

type Built<E> = Result<E, Box<dyn Error + Send + Sync>>;

fn otlp_grpc() -> Built<opentelemetry_otlp::SpanExporter> {
    Ok(opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?)
}

fn otlp_http() -> Built<opentelemetry_otlp::SpanExporter> {
    Ok(opentelemetry_otlp::SpanExporter::builder().with_http().build()?)
}

#[expect(
    deprecated,
    reason = "the original offers it, and nothing else speaks to a collector that knows only Zipkin"
)]
fn zipkin() -> Built<impl SpanExporter + 'static> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let exporter = opentelemetry_zipkin::ZipkinExporter::builder().with_http_client(client);
    Ok(exporter.build()?)
}
