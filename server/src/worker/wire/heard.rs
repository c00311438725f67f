//! What comes from the Python side. Unknown packets and wrong types are errors; unknown fields are not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The first packet of a connection: who it is.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum Greeting {
    Host(HostGreeting),
    Worker { worker: u64, key: String },
    Slot { worker: u64, key: String },
}

/// What the host says of itself.
#[derive(Debug, Deserialize)]
pub(in crate::worker) struct HostGreeting {
    pub(in crate::worker) protocol: u32,
    pub(in crate::worker) python: String,
    pub(in crate::worker) cpus: Option<usize>,
    /// Bytes that its control group allows.
    pub(in crate::worker) memory: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum FromHost {
    Started(Started),
    Failed {
        worker: u64,
        message: String,
    },
    Exited(Ended),
    Memory {
        workers: BTreeMap<String, u64>,
    },
    Output {
        worker: u64,
        stream: StreamName,
        #[serde(default)]
        dropped: u64,
    },
}

#[derive(Debug, Deserialize)]
pub(in crate::worker) struct Started {
    pub(in crate::worker) worker: u64,
    pub(in crate::worker) pid: i32,
}

/// How a worker ended.
#[derive(Debug, Deserialize)]
pub(in crate::worker) struct Ended {
    pub(in crate::worker) worker: u64,
    pub(in crate::worker) code: Option<i32>,
    pub(in crate::worker) signal: Option<i32>,
    #[serde(default)]
    pub(in crate::worker) oom: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::worker) enum StreamName {
    Stdout,
    Stderr,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum FromWorker {
    Loaded,
    Unloadable {
        message: String,
        advice: Option<String>,
        traceback: Option<String>,
    },
    Log {
        #[serde(default)]
        events: Vec<LogEvent>,
        #[serde(default)]
        dropped: u64,
    },
    Health {
        module: String,
        status: String,
    },
    Metrics,
}

/// The body of `loaded`.
#[derive(Debug, Deserialize)]
pub(in crate::worker) struct Loaded {
    pub(in crate::worker) functions: Vec<Listed>,
    #[serde(default)]
    pub(in crate::worker) versions: BTreeMap<String, Option<String>>,
    /// Settings of the image that are the server's business, and not followed.
    #[serde(default)]
    pub(in crate::worker) ignored: Vec<String>,
    /// Bytes that the worker has in use.
    pub(in crate::worker) memory: Option<u64>,
    /// Folders of modules that people write themselves, where they are asked for.
    #[serde(default)]
    pub(in crate::worker) sources: Vec<PathBuf>,
}

/// A function.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(in crate::worker) struct Listed {
    pub(in crate::worker) name: String,
    /// An IPC schema message.
    #[serde(deserialize_with = "base64")]
    pub(in crate::worker) schema: Bytes,
    pub(in crate::worker) metadata: Option<Value>,
}

fn base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)?;
    Ok(bytes.into())
}

/// One event of a log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::worker) struct LogEvent {
    pub(in crate::worker) level: String,
    pub(in crate::worker) logger: String,
    pub(in crate::worker) event: String,
    pub(in crate::worker) task: Option<String>,
    pub(in crate::worker) function: Option<String>,
    pub(in crate::worker) trace: Option<String>,
    pub(in crate::worker) span: Option<String>,
    pub(in crate::worker) fields: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(in crate::worker) enum FromSlot {
    /// There will be a table of so many bytes: where to?
    Large {
        bytes: usize,
    },
    Table {
        /// Microseconds of processor time that the call took, where they are worth telling.
        #[serde(default)]
        cpu: u64,
    },
    Stream {
        stream: u64,
        #[serde(default)]
        cpu: u64,
    },
    Error(Raised),
    Verified {
        subject: Option<String>,
    },
    Refused(Raised),
    Batch,
    Rest,
    End,
}

/// What a function raised.
#[derive(Debug, Deserialize)]
pub(in crate::worker) struct Raised {
    pub(in crate::worker) kind: Kind,
    #[serde(default)]
    pub(in crate::worker) code: i64,
    pub(in crate::worker) message: Option<String>,
    pub(in crate::worker) detail: Option<String>,
    pub(in crate::worker) traceback: Option<String>,
    #[serde(default)]
    pub(in crate::worker) cpu: u64,
    /// Of a token verification strategy: it failed in a way of its own.
    pub(in crate::worker) fault: Option<Fault>,
}

/// What else than a Flight error was raised.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(in crate::worker) enum Fault {
    Value,
    NotImplemented,
    Other,
}

/// The vendor's classes of Flight errors.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(in crate::worker) enum Kind {
    Internal,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    TimedOut,
    Cancelled,
    Server,
    /// The class that all others are derived from.
    None,
}
