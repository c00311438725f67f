//! Free ports on the loopback address.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::TcpListener;

use super::fleet::LISTEN_HOST;

/// Flight ports, counted up from a base; a replica keeps its own as long as this run goes on.
#[derive(Debug)]
pub(super) struct FlightPorts {
    base: u16,
    taken: BTreeMap<u16, u16>,
}

impl FlightPorts {
    pub(super) fn new(base: u16) -> Self {
        Self {
            base,
            taken: BTreeMap::new(),
        }
    }

    /// The port of a replica: the one it had, or the first that is free.
    pub(super) fn port(&mut self, ordinal: u16) -> io::Result<u16> {
        if let Some(port) = self.taken.get(&ordinal) {
            return Ok(*port);
        }
        let others: BTreeSet<_> = self.taken.values().copied().collect();
        let port = (self.base..=u16::MAX)
            .find(|port| !others.contains(port) && TcpListener::bind((LISTEN_HOST, *port)).is_ok())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("no port from {} on is free", self.base),
                )
            })?;
        self.taken.insert(ordinal, port);
        Ok(port)
    }
}

/// Any free port. Somebody else may take it before it is used; then another is asked for.
pub(super) fn any_port() -> io::Result<u16> {
    Ok(TcpListener::bind((LISTEN_HOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_keeps_its_port_and_a_busy_one_is_skipped() {
        let busy = TcpListener::bind((LISTEN_HOST, 0)).unwrap();
        let base = busy.local_addr().unwrap().port();
        let mut ports = FlightPorts::new(base);
        let (first, second) = (ports.port(0).unwrap(), ports.port(1).unwrap());
        assert!(first > base && second > first);
        drop(busy);
        assert_eq!(ports.port(0).unwrap(), first);
        assert_eq!(ports.port(1).unwrap(), second);
    }
}
