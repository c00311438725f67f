//! What a worker is told before it loads its functions.

use serde_json::{Map, Value, json};

use crate::config::{
    Authentication, HostPort, PythonSection, ServerSection, TokenHeader, TokenVerification, TraceExporter, TraceKeys,
};
use crate::telemetry;

/// The configuration file of images that are built from the vendor's template.
const TEMPLATES: &str = "/config/flexconnect.config.toml";

/// The fields of `load`, as JSON.
pub(super) fn brief(
    python: &PythonSection,
    server: &ServerSection,
    settings: &Map<String, Value>,
    location: &str,
    threads: usize,
    verifier: Option<&str>,
) -> Value {
    let tracing = server.traces.as_ref().map(|traces| {
        json!({
            "exporter_type": exporter(traces.exporter),
            "service_name": traces.service_name,
            "service_namespace": traces.service_namespace,
            "service_instance_id": traces.service_instance_id,
            "extract_context_from_headers": traces.extract_context,
        })
    });
    let usual = || vec![TEMPLATES.to_owned()];
    let (files, optional) = match (&python.socket, &python.config_files) {
        (None, _) => (Vec::new(), true),
        (Some(_), Some(files)) => (files.clone(), false),
        (Some(_), None) => (usual(), true),
    };
    json!({
        "provider": python.provider.module(),
        "modules": python.modules(),
        "files": files,
        "optional": optional,
        "settings": settings,
        "server": original(server, tracing.as_ref()),
        "location": location,
        "logging": {"level": level(), "ini": python.logging_config},
        "tracing": tracing.unwrap_or_else(|| json!({})),
        "threads": threads,
        "verifier": verifier,
        "follow": python.follow,
    })
}

/// The level that goes for everything, out of directives such as `info,h2=warn`.
fn level() -> String {
    let directives = telemetry::level().unwrap_or_default();
    let mut levels = directives
        .split(',')
        .filter(|directive| !directive.contains(['=', '[']));
    levels
        .next()
        .filter(|level| !level.is_empty())
        .unwrap_or("info")
        .to_owned()
}

/// The fields of the vendor's `ServerConfig`, without secrets.
fn original(server: &ServerSection, tracing: Option<&Value>) -> Value {
    let host = |address: Option<&HostPort>| address.map(|address| address.host.clone());
    let port = |address: Option<&HostPort>| address.map(|address| address.port);
    let (method, header, verification) = match &server.authentication {
        Authentication::None => ("none", None, None),
        Authentication::Token { header, verification } => {
            let header = match header {
                TokenHeader::Bearer => None,
                TokenHeader::Custom { spelling, name: _ } => Some(spelling.clone()),
            };
            let verification = match verification {
                TokenVerification::Enumerated(_) => "EnumeratedTokenVerification",
                TokenVerification::Jwt(_) => "JwtVerification",
                TokenVerification::Custom => "CustomVerification",
                TokenVerification::Python(module) => module,
            };
            ("token", header, Some(verification))
        }
    };
    let TraceKeys {
        trace_id,
        span_id,
        parent_span_id,
    } = &server.logs.trace_keys;
    json!({
        "listen_host": server.listen.host,
        "listen_port": server.listen.port,
        "advertise_host": server.advertise.host,
        "advertise_port": server.advertise.port,
        "use_tls": server.tls.is_some(),
        "use_mutual_tls": server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some()),
        "authentication_method": method,
        "token_header_name": header,
        "token_verification": verification,
        "task_threads": server.tasks.threads,
        "task_close_threads": 2,
        "task_result_ttl_sec": server.tasks.result_ttl.as_secs(),
        "metrics_host": host(server.metrics.as_ref()),
        "metrics_port": port(server.metrics.as_ref()),
        "health_check_host": host(server.health.as_ref()),
        "health_check_port": port(server.health.as_ref()),
        "malloc_trim_interval_sec": 30,
        "log_event_key_name": server.logs.event_key,
        "log_trace_keys": {
            "trace_id": trace_id.as_deref().unwrap_or("trace_id"),
            "span_id": span_id.as_deref().unwrap_or("span_id"),
            "parent_span_id": parent_span_id.as_deref().unwrap_or("parent_span_id"),
        },
        "otel_config": tracing,
    })
}

const fn exporter(exporter: TraceExporter) -> &'static str {
    match exporter {
        TraceExporter::Zipkin => "zipkin",
        TraceExporter::OtlpHttp => "otlp-http",
        TraceExporter::OtlpGrpc => "otlp-grpc",
        TraceExporter::Console => "console",
    }
}
