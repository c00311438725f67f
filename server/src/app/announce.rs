//! What a server says about itself when it starts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::{Authentication, ServerSection};
use crate::net::descriptors;

/// Says where the server is, and what about that is doubtful.
pub(super) fn announce(server: &ServerSection, address: SocketAddr, location: &str) {
    let tls = server.tls.is_some();
    let listen_url = format!("{}://{address}", if tls { "grpc+tls" } else { "grpc" });
    tracing::info!(listen_url, client_url = location, tls, "flight_service_start");
    if !descriptors::suffice(descriptors::raise(), server.connections.max) {
        let advice = "raise the limit of open files (ulimit -n), or lower server.max_connections";
        tracing::warn!(max_connections = server.connections.max, advice, "open_files_short");
    }
    if server.advertises_own_name {
        let host = &server.advertise.host;
        let advice = "set server.advertise_host to a name that clients can reach";
        tracing::warn!(host, advice, "advertise_host_not_set");
    }
    let mutual = server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some());
    if matches!(server.authentication, Authentication::None) && !address.ip().is_loopback() && !mutual {
        let advice = "everybody who reaches the port may call: set server.authentication_method = \"token\"";
        tracing::warn!(listen_url, advice, "insecure_warning");
    }
}

/// The effective configuration for the log, without secrets.
pub(super) fn summary(
    server: &ServerSection,
    call_deadline: Duration,
    polling_interval: Duration,
) -> serde_json::Value {
    serde_json::json!({
        "listen": server.listen.to_string(),
        "advertise": server.advertise.to_string(),
        "use_tls": server.tls.is_some(),
        "use_mtls": server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some()),
        "authentication_method": match &server.authentication {
            Authentication::None => "none",
            Authentication::Token { .. } => "token",
        },
        "health_check": server.health.as_ref().map(ToString::to_string),
        "task_threads": server.tasks.threads,
        "task_queue_limit": server.tasks.queue_limit,
        "task_result_ttl_sec": server.tasks.result_ttl.as_secs(),
        "task_result_bytes": server.tasks.result_bytes,
        "lame_duck_sec": server.drain.lame_duck.as_secs(),
        "propagation_delay_sec": server.drain.propagation_delay.as_secs(),
        "drain_timeout_sec": server.drain.timeout.as_secs(),
        "call_deadline_ms": u64::try_from(call_deadline.as_millis()).unwrap_or(u64::MAX),
        "polling_interval_ms": u64::try_from(polling_interval.as_millis()).unwrap_or(u64::MAX),
    })
}
