//! How much runs at a time, and how long and where results are kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::kinds::{Anything, Integer, Path, Seconds};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Otherwise, settings};

settings! {
    /// Calls that run at the same time. One function gets no more than this, all together a quarter more: that part is for
    /// functions which hold less than their share, so that one whose calls take long does not delay the others. A function
    /// that waits without blocking holds no thread, so there may well be thousands; calls of functions that block have a
    /// thread each, of low priority.
    THREADS: Integer, Is<i64> = "task_threads",
        Integer { from: 1, to: 10_000, what: "a positive number of calls that run at a time" }, Is(32);
    /// Calls that may wait for their turn, with a quarter more for functions that have less than their share in line. More
    /// are answered with `BACKPRESSURE`, which tells clients to try again.
    QUEUE_LIMIT: Integer, Is<i64> = "task_queue_limit",
        Integer { from: 1, to: 1_000_000, what: "a positive number of calls that wait" }, Is(1_024);
    /// How long a result can be read, from its completion.
    RESULT_TTL: Seconds, Is<Duration> = "task_result_ttl_sec", Seconds { zero: false }, Is(Duration::from_mins(1));
    /// Memory for commands, stored results and streams on their way, all calls together. Over it, results are spilled
    /// to `task_spill_directory`, or calls are answered with `BACKPRESSURE`.
    RESULT_BYTES: Integer, Otherwise = "task_result_bytes",
        Integer { from: 1, to: i64::MAX, what: "a positive number of bytes" },
        Otherwise("a share of the memory that the container, or else the machine, has");
    /// What a call that was cancelled, or is over its deadline, gets to end by itself before it is aborted. A thread cannot
    /// be aborted: it is left behind, as many as `task_threads` at most, and its slot goes to the next call.
    CANCEL_GRACE: Seconds, Is<Duration> = "task_cancel_grace_sec", Seconds { zero: true }, Is(Duration::from_secs(5));
    /// A folder for results that do not fit in `task_result_bytes`. Its files have no names, so nothing is left behind.
    SPILL_DIRECTORY: Path, Otherwise = "task_spill_directory", Path { what: "the path of a folder" },
        Otherwise("none: results stay in memory");
    /// Bytes of results in `task_spill_directory`; choose less than its volume has. Over it, calls are answered with
    /// `BACKPRESSURE`.
    SPILL_BYTES: Integer, Is<i64> = "task_spill_bytes",
        Integer { from: 1, to: i64::MAX, what: "a positive number of bytes" }, Is(10_737_418_240);
    /// Has no effect: results are dropped without threads of their own.
    CLOSE_THREADS: Anything, Otherwise = "task_close_threads", Anything, Otherwise("no effect");
    /// Has no effect: the allocator gives memory back by itself.
    MALLOC_TRIM: Anything, Otherwise = "malloc_trim_interval_sec", Anything, Otherwise("no effect");
}

/// How much runs at a time, and how long results are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSettings {
    /// `task_threads`: calls that run at the same time.
    pub threads: usize,
    /// `task_queue_limit`: calls that may wait; more are answered with BACKPRESSURE.
    pub queue_limit: usize,
    /// `task_result_ttl_sec`, from completion.
    pub result_ttl: Duration,
    /// `task_result_bytes`: memory for commands, results and streams; `None` for a share of what there is.
    pub result_bytes: Option<u64>,
    /// `task_cancel_grace_sec`: from the request to end to the abort; zero aborts at once.
    pub cancel_grace: Duration,
    /// Where results go that do not fit; `None` without `task_spill_directory`.
    pub spill: Option<SpillSettings>,
}

/// Results on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillSettings {
    /// `task_spill_directory`
    pub directory: PathBuf,
    /// `task_spill_bytes`: all files together.
    pub bytes: u64,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<TaskSettings, Noted> {
    let (threads, queue_limit) = (reader.read(&THREADS), reader.read(&QUEUE_LIMIT));
    let (result_ttl, cancel_grace) = (reader.read(&RESULT_TTL), reader.read(&CANCEL_GRACE));
    let result_bytes = reader.read(&RESULT_BYTES);
    let (directory, spill_bytes) = (reader.read(&SPILL_DIRECTORY), reader.read(&SPILL_BYTES));
    let directory = directory?;
    if directory.is_none() && reader.node(SPILL_BYTES.name).is_some() {
        reader.warn(SPILL_BYTES.name, "has no effect without task_spill_directory");
    }
    let spill_bytes = spill_bytes?.unsigned_abs();
    Ok(TaskSettings {
        threads: count(threads?)?,
        queue_limit: count(queue_limit?)?,
        result_ttl: result_ttl?,
        result_bytes: result_bytes?.map(i64::unsigned_abs),
        cancel_grace: cancel_grace?,
        spill: directory.map(|directory| SpillSettings {
            directory,
            bytes: spill_bytes,
        }),
    })
}

/// The ranges of the settings fit on every machine.
fn count(value: i64) -> Result<usize, Noted> {
    usize::try_from(value).map_err(|_| Noted)
}
