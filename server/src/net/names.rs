//! The names of this machine, of the server's location, and of callers.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::HostPort;

/// The location that clients are told: `grpc://host:port`, with TLS `grpc+tls://host:port`.
#[must_use]
pub fn location(address: &HostPort, tls: bool) -> String {
    let scheme = if tls { "grpc+tls" } else { "grpc" };
    format!("{scheme}://{address}")
}

/// The full name of this machine as its hosts file knows it, else its plain name.
#[must_use]
pub fn machine_name() -> String {
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    full_name(&hostname, &hosts).map(str::to_owned).unwrap_or(hostname)
}

/// The first name with a domain on a line that also has the plain name; Kubernetes writes such a line for pods.
fn full_name<'h>(hostname: &str, hosts: &'h str) -> Option<&'h str> {
    let names = |line: &'h str| line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
    let line = hosts.lines().find(|line| names(line).any(|name| name == hostname))?;
    names(line).find(|name| {
        name.strip_prefix(hostname)
            .is_some_and(|domain| domain.starts_with('.'))
    })
}

/// The name of the caller of a connection, in the extensions of each of its requests.
#[derive(Clone, Debug)]
pub(super) struct PeerName(pub(super) Arc<str>);

/// The caller as logs name it: `ipv4:127.0.0.1:45286`, `ipv6:%5B::1%5D:47028`.
pub(crate) fn peer_name(peer: SocketAddr) -> String {
    // A listener on `::` sees callers by IPv4 as `::ffff:127.0.0.1`.
    let (ip, port) = (peer.ip().to_canonical(), peer.port());
    match ip {
        IpAddr::V4(ip) => format!("ipv4:{ip}:{port}"),
        IpAddr::V6(ip) => format!("ipv6:%5B{ip}%5D:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn locations() {
        let address = |host: &str| HostPort {
            host: host.to_owned(),
            port: 17_001,
        };
        assert_eq!(location(&address("sales-0"), false), "grpc://sales-0:17001");
        assert_eq!(location(&address("::1"), true), "grpc+tls://[::1]:17001");
    }

    #[test]
    fn the_hosts_file_knows_the_full_name() {
        let hosts = "127.0.0.1 localhost\n10.0.0.7 sales-0.sales.ns.svc.cluster.local sales-0 # pod\n";
        assert_eq!(full_name("sales-0", hosts), Some("sales-0.sales.ns.svc.cluster.local"));
        assert_eq!(full_name("other", hosts), None);
        assert_eq!(full_name("localhost", hosts), None);
    }

    #[rstest]
    #[case("127.0.0.1:45286", "ipv4:127.0.0.1:45286")]
    #[case("[::1]:47028", "ipv6:%5B::1%5D:47028")]
    #[case("[::ffff:10.0.0.7]:47028", "ipv4:10.0.0.7:47028")]
    fn peers_are_named_as_grpc_does(#[case] peer: &str, #[case] expected: &str) {
        assert_eq!(peer_name(peer.parse().unwrap()), expected);
    }
}
