//! Where the server listens, and what clients are told to connect to.

use std::fmt;
use std::path::PathBuf;

use crate::config::kinds::{Host, Path, Port};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, IsText, Otherwise, settings};

settings! {
    /// The address that the Flight port listens on. `0.0.0.0` or `::` listens on all of them; `::` takes IPv4 as well.
    LISTEN_HOST: Host, IsText = "listen_host", Host, IsText("127.0.0.1");
    /// The Flight port.
    LISTEN_PORT: Port, Is<u16> = "listen_port", Port, Is(17_001);
    /// The host that clients fetch results from. Every replica needs one of its own that clients can reach: a call and
    /// the reading of its result must meet the same replica.
    ADVERTISE_HOST: Host, Otherwise = "advertise_host", Host, Otherwise("the machine's full name");
    /// The port that clients fetch results from.
    ADVERTISE_PORT: Port, Otherwise = "advertise_port", Port, Otherwise("`listen_port`");
    /// A file with `HOST` or `HOST:PORT` that goes before `advertise_host` and `advertise_port`. It is read again when it
    /// changes, since outside addresses come later than servers. While it is missing or empty, the settings hold.
    ADVERTISE_FILE: Path, Otherwise = "advertise_file", Path { what: "the path of a file with HOST or HOST:PORT" },
        Otherwise("none");
}

/// A host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// A port, never 0.
    pub port: u16,
}

impl HostPort {
    /// Whether two listeners would be in each other's way. Names are not looked up.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let everywhere = |address: &Self| matches!(address.host.as_str(), "::" | "0.0.0.0");
        self.port == other.port && (self.host == other.host || everywhere(self) || everywhere(other))
    }
}

/// `host:port`, IPv6 addresses in brackets.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What [`read`] gives.
pub(super) struct Addresses {
    pub(super) listen: HostPort,
    pub(super) advertise: HostPort,
    pub(super) advertises_own_name: bool,
    pub(super) advertise_file: Option<PathBuf>,
}

pub(super) fn read(reader: &mut Reader<'_>, machine_name: &str) -> Result<Addresses, Noted> {
    let (listen_host, listen_port) = (reader.read(&LISTEN_HOST), reader.read(&LISTEN_PORT));
    let (advertise_host, advertise_port) = (reader.read(&ADVERTISE_HOST), reader.read(&ADVERTISE_PORT));
    let advertise_file = reader.read(&ADVERTISE_FILE)?;
    let (listen_port, advertise_host) = (listen_port?, advertise_host?);
    Ok(Addresses {
        listen: HostPort {
            host: listen_host?,
            port: listen_port,
        },
        advertises_own_name: advertise_host.is_none() && advertise_file.is_none(),
        advertise: HostPort {
            host: advertise_host.unwrap_or_else(|| machine_name.to_owned()),
            port: advertise_port?.unwrap_or(listen_port),
        },
        advertise_file,
    })
}
