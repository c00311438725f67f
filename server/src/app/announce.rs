//! What a server says about itself when it starts.

use std::net::SocketAddr;

use crate::config::{Authentication, ServerSection};
use crate::net::descriptors;

/// Says what starts, with which configuration.
pub(super) fn starting(effective: &impl std::fmt::Display) {
    tracing::info!(
        platform = std::env::consts::OS,
        arrow_version = arrow::ARROW_VERSION,
        server_version = env!("CARGO_PKG_VERSION"),
        json.config = %effective,
        "server_startup"
    );
}

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
