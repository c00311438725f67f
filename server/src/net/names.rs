//! The names of this machine and of the server's location.

use std::fs;

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

#[cfg(test)]
mod tests {
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
}
