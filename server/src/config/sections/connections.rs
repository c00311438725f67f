//! What clients' connections may cost, and how they end.

use std::time::Duration;

use crate::config::kinds::{Integer, Seconds, SecondsOrOff};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, settings};

settings! {
    /// Open connections of the Flight port; further ones are closed at once, so that clients can go elsewhere.
    MAX: Integer, Is<i64> = "max_connections",
        Integer { from: 1, to: 1_000_000, what: "a positive number of connections" }, Is(10_000);
    /// The age, ± 20 %, at which a connection gets GOAWAY: calls on it finish, and the client connects again, so that a
    /// fleet behind one address shares its load.
    MAX_AGE: SecondsOrOff, Is<Option<Duration>> = "max_connection_age_sec", SecondsOrOff,
        Is(Some(Duration::from_mins(5)));
    /// How long calls may go on after that GOAWAY; 0 lets them finish.
    MAX_AGE_GRACE: SecondsOrOff, Is<Option<Duration>> = "max_connection_age_grace_sec", SecondsOrOff, Is(None);
    /// How often a connection is asked by an HTTP/2 PING whether its client is still there.
    KEEP_ALIVE_INTERVAL: SecondsOrOff, Is<Option<Duration>> = "keep_alive_interval_sec", SecondsOrOff,
        Is(Some(Duration::from_secs(30)));
    /// How long the answer to that PING may take before the connection is closed.
    KEEP_ALIVE_TIMEOUT: Seconds, Is<Duration> = "keep_alive_timeout_sec", Seconds { zero: false },
        Is(Duration::from_secs(20));
    /// How long a new connection may take for TLS and the first bytes of HTTP/2.
    HANDSHAKE_TIMEOUT: Seconds, Is<Duration> = "handshake_timeout_sec", Seconds { zero: false },
        Is(Duration::from_secs(10));
    /// Bytes of all headers of one request together, as HTTP/2 counts them: 32 for each beside its name and value. Clients
    /// are told, as by the original, and those that heed it do not send more. Who does is answered with HTTP status 431,
    /// which gRPC clients show as `UNKNOWN`, since the headers of such a call are never read.
    MAX_HEADER_BYTES: Integer, Is<i64> = "max_header_bytes",
        Integer { from: 4_096, to: 16_777_216, what: "a number of bytes" }, Is(16_384);
    /// Calls at the same time on one connection.
    MAX_STREAMS: Integer, Is<i64> = "max_concurrent_streams",
        Integer { from: 1, to: 1_000_000, what: "a positive number of calls" }, Is(1_024);
    /// How long a client may leave a result unread while it is being sent, or its request unfinished, before the stream
    /// is ended.
    STALLED_CLIENT_TIMEOUT: SecondsOrOff, Is<Option<Duration>> = "stalled_client_timeout_sec", SecondsOrOff,
        Is(Some(Duration::from_mins(5)));
}

/// What connections may cost, and how they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// `max_connections`
    pub max: usize,
    /// `max_connection_age_sec`, to be varied by ± 20 %; `None` never ends a connection for its age.
    pub max_age: Option<Duration>,
    /// `max_connection_age_grace_sec`: from GOAWAY to the end of the connection; `None` lets calls finish.
    pub max_age_grace: Option<Duration>,
    /// `keep_alive_interval_sec`; `None` sends no PING.
    pub keep_alive_interval: Option<Duration>,
    /// `keep_alive_timeout_sec`
    pub keep_alive_timeout: Duration,
    /// `handshake_timeout_sec`: for TLS and the preface of HTTP/2, each.
    pub handshake_timeout: Duration,
    /// `max_header_bytes`: HTTP/2's header list size.
    pub max_header_bytes: u32,
    /// `max_concurrent_streams`, per connection.
    pub max_concurrent_streams: u32,
    /// `stalled_client_timeout_sec`; `None` waits for as long as the connection lives.
    pub stalled_client_timeout: Option<Duration>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<ConnectionSettings, Noted> {
    let (max, max_age, max_age_grace) = (reader.read(&MAX), reader.read(&MAX_AGE), reader.read(&MAX_AGE_GRACE));
    let (interval, timeout) = (reader.read(&KEEP_ALIVE_INTERVAL), reader.read(&KEEP_ALIVE_TIMEOUT));
    let handshake_timeout = reader.read(&HANDSHAKE_TIMEOUT);
    let (max_header_bytes, max_streams) = (reader.read(&MAX_HEADER_BYTES), reader.read(&MAX_STREAMS));
    let stalled_client_timeout = reader.read(&STALLED_CLIENT_TIMEOUT);
    Ok(ConnectionSettings {
        max: usize::try_from(max?).map_err(|_| Noted)?,
        max_age: max_age?,
        max_age_grace: max_age_grace?,
        keep_alive_interval: interval?,
        keep_alive_timeout: timeout?,
        handshake_timeout: handshake_timeout?,
        max_header_bytes: u32::try_from(max_header_bytes?).map_err(|_| Noted)?,
        max_concurrent_streams: u32::try_from(max_streams?).map_err(|_| Noted)?,
        stalled_client_timeout: stalled_client_timeout?,
    })
}
