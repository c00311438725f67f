//! Binds ports early, so that a port that is taken is known before any work is done.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

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

/// Connections that may wait until they are accepted; the system may allow less.
const BACKLOG: u32 = 4_096;

/// Opens a port. Returns it with its address; a host name may stand for several, of which the first that works is taken.
/// `::` takes IPv4 as well, and where there is no IPv6 it is `0.0.0.0`.
pub(crate) async fn bind(address: &HostPort, purpose: Purpose) -> Result<(TcpListener, SocketAddr), BindError> {
    let opened = async {
        let listener = open(&address.host, address.port).await?;
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

async fn open(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host((host, port)).await? {
        match open_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && has_no_ipv6(&error) => {
                tracing::info!(host, "no_ipv6");
                return open_at((Ipv4Addr::UNSPECIFIED, port).into());
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn open_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            // Systems differ in what `::` means unless they are told.
            set_ipv6_v6only(&socket, address.ip() != Ipv6Addr::UNSPECIFIED)?;
            socket
        }
    };
    // The port of an earlier server may still have connections that fade.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn has_no_ipv6(error: &io::Error) -> bool {
    let error = rustix::io::Errno::from_io_error(error);
    matches!(
        error,
        Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL)
    )
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
    async fn all_addresses_are_those_of_both_families() {
        let all = HostPort {
            host: "::".to_owned(),
            port: 0,
        };
        let (listener, address) = bind(&all, FLIGHT).await.unwrap();
        let client = tokio::net::TcpStream::connect(("127.0.0.1", address.port()))
            .await
            .unwrap();
        let (_, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip().to_canonical(), client.local_addr().unwrap().ip());
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
