//! Free ports on the loopback address.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use super::fleet::LISTEN_HOST;

/// Flight ports, counted up from a base. A replica keeps its own while nobody else listens there.
#[derive(Debug)]
pub(super) struct FlightPorts {
    base: u16,
    taken: Mutex<BTreeMap<u16, u16>>,
}

impl FlightPorts {
    pub(super) fn new(base: u16) -> Self {
        Self {
            base,
            taken: Mutex::default(),
        }
    }

    /// A port for a replica that does not run: the one that it had, or the first that is free.
    pub(super) fn port(&self, ordinal: u16) -> io::Result<u16> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let had = taken.remove(&ordinal);
        let others: BTreeSet<_> = taken.values().copied().collect();
        let port = had
            .into_iter()
            .chain(self.base..=u16::MAX)
            .find(|port| !others.contains(port) && TcpListener::bind((LISTEN_HOST, *port)).is_ok())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("no port from {} on is free", self.base),
                )
            })?;
        taken.insert(ordinal, port);
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
        let ports = FlightPorts::new(base);
        let (first, second) = (ports.port(0).unwrap(), ports.port(1).unwrap());
        assert!(first > base && second > first);
        drop(busy);
        assert_eq!(ports.port(0).unwrap(), first);
        assert_eq!(ports.port(1).unwrap(), second);
    }

    #[test]
    fn a_port_that_somebody_took_in_the_meantime_is_given_up() {
        let ports = FlightPorts::new(any_port().unwrap());
        let lost = ports.port(0).unwrap();
        let _thief = TcpListener::bind((LISTEN_HOST, lost)).unwrap();
        assert_ne!(ports.port(0).unwrap(), lost);
    }
}
