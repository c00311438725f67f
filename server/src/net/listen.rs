//! Binds ports early, so that a port that is taken is known before any work is done.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::config::HostPort;

/// A port that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose} ({setting}): {reason}")]
pub struct BindError {
    address: HostPort,
    purpose: &'static str,
    setting: &'static str,
    reason: String,
    source: io::Error,
}

/// What a port is for, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    pub(crate) name: &'static str,
    pub(crate) setting: &'static str,
}

/// Arrow Flight.
pub(crate) const FLIGHT: Purpose = Purpose {
    name: "Flight",
    setting: "server.listen_host, server.listen_port",
};

/// `/live` and `/ready`.
pub(crate) const HEALTH: Purpose = Purpose {
    name: "health checks",
    setting: "server.health_check_host, server.health_check_port",
};

/// The metrics for Prometheus.
pub(crate) const METRICS: Purpose = Purpose {
    name: "metrics",
    setting: "server.metrics_host, server.metrics_port",
};

/// Opens a port. Returns it with its address; a host name may stand for several, of which the first that works is taken.
pub(crate) async fn bind(address: &HostPort, purpose: Purpose) -> Result<(TcpListener, SocketAddr), BindError> {
    let opened = async {
        let listener = TcpListener::bind((address.host.as_str(), address.port)).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    opened.await.map_err(|source: io::Error| BindError {
        address: address.clone(),
        purpose: purpose.name,
        setting: purpose.setting,
        reason: explain(&source),
        source,
    })
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another process listens there; end it, or choose another port".to_owned(),
        io::ErrorKind::AddrNotAvailable => "the address does not belong to this machine".to_owned(),
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose another port".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_names_host_port_and_cause() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = bind(
            &HostPort {
                host: "127.0.0.1".to_owned(),
                port,
            },
            FLIGHT,
        )
        .await
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on 127.0.0.1:{port} for Flight (server.listen_host, server.listen_port): \
                 another process listens there; end it, or choose another port"
            )
        );
    }

    #[tokio::test]
    async fn a_foreign_address_is_told() {
        let address = HostPort {
            host: "192.0.2.1".to_owned(),
            port: 17_001,
        };
        let error = bind(&address, HEALTH).await.unwrap_err().to_string();
        assert!(
            error.ends_with("the address does not belong to this machine"),
            "{error}"
        );
    }
}
