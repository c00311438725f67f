//! The bounds of all tasks together, and of each kind.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::{FlexConnectSection, FunctionLimit, TaskSettings};

/// The bounds of all tasks together.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Calls of one kind that run at a time. All kinds together get a quarter more, for those that have less than their
    /// share.
    pub threads: usize,
    /// Calls of one kind that may wait for a slot, and a quarter more for all kinds together. One more is refused with
    /// `BACKPRESSURE`.
    pub queue: usize,
    /// How long a result (or an error) is kept after its task ended.
    pub result_ttl: Duration,
    /// How long a call may take, waiting included, before it is cancelled.
    pub call_deadline: Duration,
    /// How long a call may take to end by itself once it was told to, before it is dropped.
    pub cancel_grace: Duration,
    /// Bytes of memory that tables, the batches of streams on their way, and the commands of calls may take together.
    /// While they are reached, new calls are refused with `BACKPRESSURE`, and so are results that do not fit. A table
    /// counts until it expired and its last reader is done.
    pub result_bytes: usize,
    /// Bounds of single kinds, which tighten the ones above, by their names in lower case.
    pub kinds: HashMap<String, KindLimits>,
}

/// The bounds of one kind of task, such as the calls of one function. What is not given is as for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindLimits {
    /// Calls that run at a time.
    pub threads: Option<usize>,
    /// Calls that may wait for a slot.
    pub queue: Option<usize>,
    /// How long a call may take, waiting included, before it is cancelled.
    pub call_deadline: Option<Duration>,
}

impl Limits {
    /// The bounds that the configuration sets.
    #[must_use]
    pub fn of(tasks: &TaskSettings, flexconnect: &FlexConnectSection) -> Self {
        let TaskSettings {
            threads,
            queue_limit,
            result_ttl,
            result_bytes,
            cancel_grace,
            spill: _,
        } = *tasks;
        let kinds = flexconnect.limits.iter().map(|(function, limit)| {
            let FunctionLimit {
                threads,
                queue,
                call_deadline,
            } = limit;
            let limits = KindLimits {
                threads,
                queue,
                call_deadline,
            };
            (function.to_lowercase(), limits)
        });
        Self {
            threads,
            queue: queue_limit,
            result_ttl,
            call_deadline: flexconnect.call_deadline,
            cancel_grace,
            result_bytes: result_bytes.map_or(1 << 30, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
            kinds: kinds.collect(),
        }
    }
}

/// What a server has without any configuration.
impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: 32,
            queue: 1024,
            result_ttl: Duration::from_mins(1),
            call_deadline: Duration::from_mins(3),
            cancel_grace: Duration::from_secs(5),
            result_bytes: 1 << 30,
            kinds: HashMap::new(),
        }
    }
}
