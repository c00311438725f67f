//! What a server says about itself when it starts.

use std::net::{IpAddr, SocketAddr};

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
    if let Some(advice) = exposed(server, address.ip()) {
        tracing::warn!(listen_url, advice, "insecure_warning");
    }
}

/// What others in the network could do, and how to prevent it; nobody is on the loopback but this machine.
fn exposed(server: &ServerSection, ip: IpAddr) -> Option<&'static str> {
    let mutual = server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some());
    match (&server.authentication, &server.tls) {
        _ if ip.is_loopback() => None,
        (Authentication::None, _) if !mutual => {
            Some("everybody who reaches the port may call: set server.authentication_method = \"token\"")
        }
        (Authentication::Token { .. }, None) => Some(
            "tokens and rows travel unencrypted: set server.use_tls = true, unless something before the server encrypts",
        ),
        (Authentication::None | Authentication::Token { .. }, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::{self, Inputs};

    const TOKEN: [(&str, &str); 2] = [
        ("SERVER__AUTHENTICATION_METHOD", "token"),
        ("ENUMERATED_TOKENS__TOKENS", "['t']"),
    ];
    const TLS: [(&str, &str); 3] = [
        ("SERVER__USE_TLS", "true"),
        ("SERVER__TLS_CERTIFICATE", "@c"),
        ("SERVER__TLS_PRIVATE_KEY", "@k"),
    ];
    const MUTUAL: [(&str, &str); 2] = [("SERVER__USE_MTLS", "true"), ("SERVER__TLS_ROOT_CERTIFICATE", "@r")];

    #[rstest]
    #[case::open(&[], "10.0.0.7", Some("everybody"))]
    #[case::open_here(&[], "127.0.0.1", None)]
    #[case::encrypted_but_open(&[&TLS[..]], "::", Some("everybody"))]
    #[case::plain_tokens(&[&TOKEN[..]], "0.0.0.0", Some("tokens"))]
    #[case::plain_tokens_here(&[&TOKEN[..]], "::1", None)]
    #[case::tokens(&[&TOKEN[..], &TLS[..]], "10.0.0.7", None)]
    #[case::certificates(&[&TLS[..], &MUTUAL[..]], "10.0.0.7", None)]
    fn who_listens_to_the_network_is_told_what_that_means(
        #[case] variables: &[&[(&str, &str)]],
        #[case] ip: &str,
        #[case] begins: Option<&str>,
    ) {
        let variables = variables.iter().flat_map(|some| some.iter());
        let inputs = Inputs {
            variables: variables
                .map(|(name, value)| (format!("GOODDATA_FLIGHT_{name}"), (*value).to_owned()))
                .collect(),
            machine_name: "this.machine".to_owned(),
            ..Inputs::default()
        };
        let (config, _) = config::load(&inputs).unwrap();
        let said = exposed(&config.server, ip.parse().unwrap());
        assert_eq!(said.and_then(|text| text.split(' ').next()), begins);
    }
}
