//! `[flexconnect]`: the functions, and what their calls may take.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::kinds::{Integer, Milliseconds, Texts};
use crate::config::reader::{Noted, Reader};
use crate::config::setting::{Is, Kind, Otherwise, Refusal, settings};
use crate::config::tree::{Table, Value};

const DEADLINE: Milliseconds = Milliseconds {
    what: "a positive number of milliseconds that a call may take",
};

settings! {
    /// Python modules with functions, as the vendor's server loads them: all classes in them that are derived from
    /// `FlexConnectFunction`. See `[python]`.
    FUNCTIONS: Texts, Otherwise = "functions", Texts { what: "a list of names of Python modules" }, Otherwise("none");
    /// How long a call may take, from its submission.
    CALL_DEADLINE: Milliseconds, Is<Duration> = "call_deadline_ms", DEADLINE, Is(Duration::from_mins(3));
    /// How long one polling request waits for the result before the client is told to ask again.
    POLLING_INTERVAL: Milliseconds, Is<Duration> = "polling_interval_ms",
        Milliseconds { what: "a positive number of milliseconds that one polling request waits" },
        Is(Duration::from_secs(2));
    /// Limits of single functions, a table for each: `limits.Sales = {threads = 4, queue = 100, call_deadline_ms = 60000}`,
    /// every part optional. `threads` is how many of its calls run at a time, `queue` how many wait.
    LIMITS: LimitTables, Otherwise = "limits", LimitTables, Otherwise("none: functions share what the server has");
}

/// `[flexconnect]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlexConnectSection {
    /// How long a call may take from its submission (`call_deadline_ms`).
    pub call_deadline: Duration,
    /// How long one polling request waits (`polling_interval_ms`).
    pub polling_interval: Duration,
    /// What single functions may take (`limits`), by their names.
    pub limits: FunctionLimits,
}

impl FlexConnectSection {
    /// The longest deadline of any function.
    #[must_use]
    pub fn longest_deadline(&self) -> Duration {
        let own = self.limits.0.values().filter_map(|(_, limit)| limit.call_deadline);
        own.fold(self.call_deadline, Duration::max)
    }
}

/// `flexconnect.limits`: what single functions may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionLimits(BTreeMap<String, (String, FunctionLimit)>);

/// What one function may take; `None` is the server's own limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionLimit {
    /// Calls of it that run at the same time.
    pub threads: Option<usize>,
    /// Calls of it that wait.
    pub queue: Option<usize>,
    /// How long a call of it may take from its submission.
    pub call_deadline: Option<Duration>,
}

impl FunctionLimits {
    /// The limits of a function. Case does not matter, since variables have none.
    #[must_use]
    pub fn of(&self, function: &str) -> FunctionLimit {
        let limit = self.0.get(&function.to_lowercase());
        limit.map(|(_, limit)| *limit).unwrap_or_default()
    }

    /// The functions with limits of their own, as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, FunctionLimit)> {
        self.0.values().map(|(name, limit)| (name.as_str(), *limit))
    }
}

/// A table of limits for each function.
struct LimitTables;

impl Kind for LimitTables {
    type Value = FunctionLimits;

    fn read(&self, setting: &str, value: &Value) -> Result<FunctionLimits, Refusal> {
        let Value::Table(functions) = value else {
            let fix = "write limits.NAME = {threads = 4, queue = 100, call_deadline_ms = 60000}";
            return Err(Refusal::new(
                "must be a table with a table of limits for each function",
                fix,
            ));
        };
        let mut limits = BTreeMap::new();
        for (lower, function, node) in functions.iter_spelled() {
            let limit = match &node.value {
                Value::Table(table) => limit(setting, function, table)?,
                Value::Null => continue,
                Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::List(_) => {
                    let fix = "write {threads = 4, queue = 100, call_deadline_ms = 60000}, or a part of it";
                    return Err(Refusal::new(format!("must have a table of limits for {function}"), fix));
                }
            };
            limits.insert(lower.to_owned(), (function.to_owned(), limit));
        }
        Ok(FunctionLimits(limits))
    }

    fn write(&self, _: &FunctionLimits) -> String {
        "{}".to_owned()
    }

    fn summary(&self) -> String {
        "table of tables, one for each function".to_owned()
    }
}

fn limit(setting: &str, function: &str, table: &Table) -> Result<FunctionLimit, Refusal> {
    const COUNT: Integer = Integer {
        from: 1,
        to: 1_000_000,
        what: "a positive number of calls",
    };
    let mut limit = FunctionLimit::default();
    for (name, node) in table.iter().filter(|(_, node)| node.value != Value::Null) {
        let count = || {
            COUNT
                .read(setting, &node.value)
                .map(|count| usize::try_from(count).ok())
        };
        let read = match name {
            "threads" => count().map(|count| limit.threads = count),
            "queue" => count().map(|count| limit.queue = count),
            "call_deadline_ms" => {
                let deadline = DEADLINE.read(setting, &node.value);
                deadline.map(|deadline| limit.call_deadline = Some(deadline))
            }
            _ => {
                let fix = "write threads, queue or call_deadline_ms";
                return Err(Refusal::new(format!("has no limit {function}.{name}"), fix));
            }
        };
        read.map_err(|Refusal { problem, fix }| Refusal::new(format!("{function}.{name} {problem}"), fix))?;
    }
    Ok(limit)
}

/// The section, and the Python modules with functions.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<(FlexConnectSection, Vec<String>), Noted> {
    let modules = reader.read(&FUNCTIONS);
    let (call_deadline, polling_interval) = (reader.read(&CALL_DEADLINE), reader.read(&POLLING_INTERVAL));
    let limits = reader.read(&LIMITS);
    let section = FlexConnectSection {
        call_deadline: call_deadline?,
        polling_interval: polling_interval?,
        limits: limits?.unwrap_or_default(),
    };
    Ok((section, modules?.unwrap_or_default()))
}
