//! How the server ends.

use std::time::Duration;

use crate::config::kinds::Seconds;
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Otherwise, settings};

settings! {
    /// How long new calls are still served after the signal to end, at most. Meanwhile `/ready` answers 500 and clients
    /// are told to connect elsewhere.
    LAME_DUCK: Seconds, Is<Duration> = "lame_duck_sec", Seconds { zero: true }, Is(Duration::from_mins(1));
    /// That phase ends earlier when no new call came for so long.
    PROPAGATION_DELAY: Seconds, Is<Duration> = "propagation_delay_sec", Seconds { zero: true },
        Is(Duration::from_secs(5));
    /// How long running calls and unread results are waited for after that, while new calls get `SHUTTING_DOWN`.
    TIMEOUT: Seconds, Otherwise = "drain_timeout_sec", Seconds { zero: true },
        Otherwise("the longest call deadline, plus `task_result_ttl_sec`, plus 15");
}

/// Added to call deadline and result TTL for the default of `drain_timeout_sec`.
const MARGIN: Duration = Duration::from_secs(15);

/// The phases of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainSettings {
    /// `lame_duck_sec`: how long new calls are served at most after the signal.
    pub lame_duck: Duration,
    /// `propagation_delay_sec`: the lame duck ends when no new call came for this long.
    pub propagation_delay: Duration,
    /// `drain_timeout_sec`: how long running calls and unread results are waited for after that.
    pub timeout: Duration,
}

/// `longest_call` is the time from the submission of a call until nobody can read its result any more.
pub(super) fn read(reader: &mut Reader<'_>, longest_call: Result<Duration, Noted>) -> Result<DrainSettings, Noted> {
    let lame_duck = reader.read(&LAME_DUCK);
    let (propagation_delay, timeout) = (reader.read(&PROPAGATION_DELAY), reader.read(&TIMEOUT));
    let (lame_duck, propagation_delay, timeout) = (lame_duck?, propagation_delay?, timeout?);
    if propagation_delay > lame_duck && reader.node(PROPAGATION_DELAY.name).is_some() {
        let fix = format!("write at most {}, or raise lame_duck_sec", lame_duck.as_secs_f64());
        return Err(reader.refuse(PROPAGATION_DELAY.name, "must not be longer than lame_duck_sec", fix));
    }
    let longest_call = longest_call?;
    let timeout = timeout.unwrap_or(longest_call + MARGIN);
    if timeout < longest_call {
        let text = "is shorter than call deadline and result TTL together: a drain may cut calls off";
        reader.warn(TIMEOUT.name, text);
    }
    Ok(DrainSettings {
        lame_duck,
        propagation_delay,
        timeout,
    })
}
