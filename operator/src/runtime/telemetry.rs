//! Logs, one JSON object a line on standard error; and traces, when the standard variables of OpenTelemetry name a
//! collector.

mod traces;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::traces::Traces;
pub use self::traces::TracesError;

/// What is logged without `RUST_LOG`. The client logs every request that fails; those who sent it say more, and less often.
const DEFAULT_FILTER: &str = "info,kube_client=off,kube_runtime=error,opentelemetry=warn,opentelemetry_sdk=warn,\
                              opentelemetry-otlp=warn";

/// Logging, and traces where they are asked for. Dropped, it sends the spans that are left.
#[derive(Debug)]
pub struct Telemetry {
    _traces: Option<Traces>,
}

/// Starts logging, and sending traces. `RUST_LOG` chooses what is logged.
///
/// # Errors
/// When the variables ask for traces that cannot be sent.
pub fn start() -> Result<Telemetry, TracesError> {
    let traces = Traces::from_environment()?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let log = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .with_filter(filter);
    let spans = traces.as_ref().map(|traces| {
        tracing_opentelemetry::layer()
            .with_tracer(traces.tracer())
            .with_filter(Targets::new().with_target("flexconnect_operator", LevelFilter::INFO))
    });
    // Somebody who embeds the operator may have started logging already.
    let _ = tracing_subscriber::registry().with(log).with(spans).try_init();
    Ok(Telemetry { _traces: traces })
}
