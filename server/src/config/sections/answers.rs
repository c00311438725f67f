//! What Flight requests may be, and what answers say beyond the original's.

use std::time::Duration;

use crate::config::kinds::{Flag, Integer, SecondsOrOff};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Otherwise, settings};

settings! {
    /// Tell clients in a `FlightInfo` when its result expires. Off, since strict clients may not expect it.
    EXPIRATION_TIME: Flag, Is<bool> = "expiration_time", Flag, Is(false);
    /// Tell clients the rows and bytes of finished tables in a `FlightInfo`, instead of -1.
    EXACT_TOTALS: Flag, Is<bool> = "exact_totals", Flag, Is(false);
    /// Send an empty batch when a stream of rows was quiet for so long, so that nothing on the way gives it up.
    STREAM_KEEP_ALIVE: SecondsOrOff, Is<Option<Duration>> = "stream_keep_alive_sec", SecondsOrOff, Is(None);
    /// Serve gRPC reflection, for tools that ask a server what it can do.
    REFLECTION: Flag, Is<bool> = "reflection", Flag, Is(false);
    /// Bytes of one request. However many there are, what is there of requests larger than 16 KiB counts to
    /// `task_result_bytes` while they come; one that does not fit is answered with `BACKPRESSURE`.
    MAX_REQUEST_BYTES: Integer, Otherwise = "max_request_bytes",
        Integer { from: 1_024, to: i64::MAX, what: "a number of bytes" },
        Otherwise("no limit of its own; `task_result_bytes` holds");
}

/// What Flight requests may be, and what answers say beyond the original's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerSettings {
    /// `expiration_time`: endpoints tell when they expire.
    pub expiration_time: bool,
    /// `exact_totals`: rows and bytes of finished tables instead of -1.
    pub exact_totals: bool,
    /// `stream_keep_alive_sec`: an empty batch after that much silence.
    pub stream_keep_alive: Option<Duration>,
    /// `reflection`: the gRPC reflection service is served.
    pub reflection: bool,
    /// `max_request_bytes`; `None` leaves it to the budget of bytes.
    pub max_request_bytes: Option<u64>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<AnswerSettings, Noted> {
    let (expiration_time, exact_totals) = (reader.read(&EXPIRATION_TIME), reader.read(&EXACT_TOTALS));
    let (stream_keep_alive, reflection) = (reader.read(&STREAM_KEEP_ALIVE), reader.read(&REFLECTION));
    let max_request_bytes = reader.read(&MAX_REQUEST_BYTES);
    Ok(AnswerSettings {
        expiration_time: expiration_time?,
        exact_totals: exact_totals?,
        stream_keep_alive: stream_keep_alive?,
        reflection: reflection?,
        max_request_bytes: max_request_bytes?.map(i64::unsigned_abs),
    })
}
