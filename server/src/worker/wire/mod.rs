//! What the server and the Python side say to each other, as docs/design/2026-11-21-python-workers.md has it: packets on
//! a Unix socket, each a head in JSON and a body that lies in the packet, or in shared memory that is passed along.

mod connection;
mod frame;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod heard;
mod mapped;
mod said;

pub(super) use connection::{Connection, Listener, WireError};
pub(super) use frame::{Malformed, Packet};
#[cfg(feature = "fuzzing")]
pub(super) use fuzz::{Along, through_a_socket};
pub(super) use heard::{
    Ended, Fault, FromHost, FromSlot, FromWorker, Greeting, HostGreeting, Kind, Listed, Loaded, LogEvent, Raised,
    Started, StreamName,
};
pub(super) use said::{Signal, To, ToHost, ToSlot, ToWorker, Trace};

/// The version of the protocol that this server speaks.
pub(super) const PROTOCOL: u32 = 1;
