//! What the server says to the Python side.

use std::collections::BTreeMap;

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum ToHost<'a> {
    Start {
        worker: u64,
        key: &'a str,
        slot: usize,
    },
    Kill {
        worker: u64,
        signal: Signal,
    },
    /// Modules that are not well by their own account, in any worker.
    Health {
        ailing: Vec<&'a str>,
    },
    /// It cannot be the host here.
    Refused {
        message: &'a str,
    },
}

/// Signals that workers are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(in crate::worker) enum Signal {
    /// End.
    Term,
    /// Say where you are, and end.
    Abrt,
    /// No choice.
    Kill,
}

#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum ToWorker {
    /// The fields are the body.
    Load,
    Slots {
        count: usize,
    },
    Cancel {
        task: String,
    },
    Drop {
        stream: u64,
    },
    Metrics,
    Stop,
}

#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum ToSlot<'a> {
    Call {
        task: &'a str,
        function: &'a str,
        headers: BTreeMap<&'a str, Vec<String>>,
        /// Milliseconds from now.
        deadline: Option<u64>,
        trace: Trace,
    },
    /// A token that a strategy shall decide about.
    Verify {
        /// The name of the RPC, as in `DoGet`.
        method: &'a str,
        token: &'a str,
    },
    Pull {
        stream: u64,
        batches: usize,
        bytes: usize,
        /// Milliseconds.
        time: u64,
    },
    /// Where a large table goes. Its file is passed along.
    Put { into: To },
}

/// Where a large table goes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::worker) enum To {
    Memory,
    File,
    /// There is no room for it.
    Nowhere,
}

/// The span that a call belongs to, as W3C writes it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(in crate::worker) struct Trace {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::worker) traceparent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::worker) tracestate: Option<String>,
}
