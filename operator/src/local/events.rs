//! The events of a run. Their JSON form, with the kind under `event`, is part of the command's contract: members are
//! added, not renamed.

use std::fmt;

use serde::Serialize;

/// Something happened to a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum ReplicaEvent {
    /// Its process runs; `attempt` counts from 1.
    Started {
        replica: String,
        pid: u32,
        url: String,
        health: String,
        log: String,
        attempt: u64,
    },
    /// It answers that it is ready.
    Ready { replica: String, pid: u32, url: String },
    /// It does not answer any more that it is ready, and its process still runs.
    NotReady { replica: String, pid: u32 },
    /// Its process ended without having been told to.
    Died {
        replica: String,
        pid: u32,
        status: String,
        last_line: String,
        restart_in_ms: u64,
    },
    /// Its process could not be started.
    StartFailed {
        replica: String,
        message: String,
        restart_in_ms: u64,
    },
    /// It was told to drain.
    Draining { replica: String, pid: u32 },
    /// It drains for so long already; it is killed at the bound.
    StillDraining {
        replica: String,
        seconds: u64,
        bound_seconds: u64,
    },
    /// Its process is gone.
    Drained {
        replica: String,
        status: String,
        milliseconds: u64,
        killed: bool,
    },
}

/// Something happened to a data source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum SourceEvent {
    /// GoodData has it as it shall be; `writes` requests changed it, 0 when it was found so.
    Registered {
        data_source: String,
        endpoint: String,
        urls: usize,
        writes: u32,
        repaired: bool,
    },
    /// It has not.
    RegistrationFailed {
        data_source: String,
        endpoint: String,
        reason: String,
        message: String,
        retry_in_ms: u64,
    },
    /// What GoodData's connection test said.
    ConnectionTested {
        data_source: String,
        endpoint: String,
        successful: bool,
        message: String,
    },
    /// The fleet is done with it.
    Unregistered {
        data_source: String,
        endpoint: String,
        outcome: String,
    },
}

/// Something happened to the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum RunEvent {
    /// It begins.
    Starting {
        fleet: String,
        replicas: u16,
        server: String,
        work_dir: String,
    },
    /// Some fields of the file mean nothing here.
    Ignored { fields: Vec<String> },
    /// Every replica that shall run is ready.
    Settled { replicas: Vec<Row> },
    /// The file changed and is followed.
    Changed { replicas: u16 },
    /// The file changed to something that cannot run; the fleet stays as it is.
    ChangeRefused { message: String },
    /// It ends.
    Stopping { reason: String },
    /// Everything is gone.
    Stopped,
}

/// One replica in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) replica: String,
    pub(super) pid: Option<u32>,
    pub(super) url: String,
    pub(super) state: &'static str,
}

impl fmt::Display for ReplicaEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started {
                replica,
                pid,
                url,
                attempt,
                ..
            } => {
                let again = if *attempt > 1 { " again" } else { "" };
                write!(f, "{replica}: started{again} as process {pid} on {url}")
            }
            Self::Ready { replica, .. } => write!(f, "{replica}: ready"),
            Self::NotReady { replica, .. } => write!(f, "{replica}: not ready any more"),
            Self::Died {
                replica,
                pid,
                status,
                last_line,
                restart_in_ms,
            } => {
                write!(
                    f,
                    "{replica}: process {pid} ended ({status}), starts again in {}",
                    Seconds(*restart_in_ms)
                )?;
                // A line of its log is nothing it said about its end.
                if last_line.is_empty() || last_line.starts_with('{') {
                    Ok(())
                } else {
                    write!(f, "; its last line: {last_line}")
                }
            }
            Self::StartFailed {
                replica,
                message,
                restart_in_ms,
            } => {
                write!(f, "{replica}: {message}; next attempt in {}", Seconds(*restart_in_ms))
            }
            Self::Draining { replica, .. } => write!(f, "{replica}: draining"),
            Self::StillDraining {
                replica,
                seconds,
                bound_seconds,
            } => {
                write!(f, "{replica}: draining for {seconds} s, killed after {bound_seconds} s")
            }
            Self::Drained {
                replica,
                status,
                milliseconds,
                killed,
            } => {
                let how = if *killed { "killed" } else { "drained" };
                write!(f, "{replica}: {how} after {} ({status})", Seconds(*milliseconds))
            }
        }
    }
}

impl fmt::Display for SourceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered {
                data_source,
                endpoint,
                urls,
                writes,
                repaired,
            } => {
                let urls = Count(*urls, "URL");
                match (writes, repaired) {
                    (0, _) => write!(
                        f,
                        "Data source {data_source:?} at {endpoint} is registered already ({urls})"
                    ),
                    (_, true) => write!(f, "Repaired data source {data_source:?} at {endpoint} ({urls})"),
                    (_, false) => write!(f, "Registered data source {data_source:?} at {endpoint} ({urls})"),
                }
            }
            Self::RegistrationFailed {
                data_source,
                message,
                retry_in_ms,
                ..
            } => {
                let retry = Seconds(*retry_in_ms);
                write!(
                    f,
                    "Cannot register data source {data_source:?}: {message}; the fleet serves, next attempt in {retry}"
                )
            }
            Self::ConnectionTested {
                data_source,
                endpoint,
                successful: true,
                ..
            } => {
                write!(
                    f,
                    "GoodData at {endpoint} reaches the fleet through data source {data_source:?}"
                )
            }
            Self::ConnectionTested {
                data_source,
                endpoint,
                message,
                ..
            } => {
                write!(
                    f,
                    "GoodData at {endpoint} did not reach the fleet through data source {data_source:?}: {message}"
                )
            }
            Self::Unregistered {
                data_source,
                endpoint,
                outcome,
            } => {
                write!(f, "Data source {data_source:?} at {endpoint} {outcome}")
            }
        }
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting {
                fleet,
                replicas,
                server,
                work_dir,
            } => {
                let replicas = Count(usize::from(*replicas), "replica");
                write!(
                    f,
                    "Starting {replicas} of {fleet:?} with {server}; logs are in {work_dir}"
                )
            }
            Self::Ignored { fields } if fields.is_empty() => f.write_str("No field of the file is ignored any more"),
            Self::Ignored { fields } => write!(f, "Without meaning on one machine: {}", fields.join(", ")),
            Self::Settled { replicas } if replicas.is_empty() => f.write_str("No replica runs"),
            Self::Settled { replicas } => write_table(f, replicas),
            Self::Changed { replicas } => {
                write!(
                    f,
                    "The file changed: {} from now on",
                    Count(usize::from(*replicas), "replica")
                )
            }
            Self::ChangeRefused { message } => {
                write!(
                    f,
                    "The file changed and is not used, the fleet stays as it is: {message}"
                )
            }
            Self::Stopping { reason } => write!(f, "Stopping: {reason}; once more kills"),
            Self::Stopped => f.write_str("Stopped"),
        }
    }
}

/// The replicas in columns.
fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let pid = |row: &Row| row.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string());
    let cells = rows
        .iter()
        .map(|row| [row.replica.clone(), pid(row), row.url.clone(), row.state.to_owned()]);
    let header = ["REPLICA", "PID", "URL", "STATE"].map(str::to_owned);
    let lines: Vec<_> = std::iter::once(header).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let (name_width, pid_width, url_width) = (width(0), width(1), width(2));
    for (index, [name, pid, url, state]) in lines.iter().enumerate() {
        let end = if index + 1 < lines.len() { "\n" } else { "" };
        write!(
            f,
            "{name:name_width$}  {pid:pid_width$}  {url:url_width$}  {state}{end}"
        )?;
    }
    Ok(())
}

/// `3 URLs`, `1 URL`.
struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, noun) = self;
        let plural = if *number == 1 { "" } else { "s" };
        write!(f, "{number} {noun}{plural}")
    }
}

/// Milliseconds, shown as seconds with one digit.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} s", self.0 / 1000, self.0 % 1000 / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_scripts_wait_for() {
        let event = SourceEvent::Registered {
            data_source: "quickstart".into(),
            endpoint: "http://localhost:3000".into(),
            urls: 3,
            writes: 1,
            repaired: false,
        };
        assert_eq!(
            event.to_string(),
            r#"Registered data source "quickstart" at http://localhost:3000 (3 URLs)"#
        );
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!((&json["event"], &json["urls"]), (&"registered".into(), &3.into()));
    }

    #[test]
    fn columns_line_up() {
        let row = |replica: &str, pid, state| Row {
            replica: replica.into(),
            pid,
            url: "grpc://h:1".into(),
            state,
        };
        let replicas = vec![row("sales-0", Some(7), "ready"), row("sales-10", None, "starting")];
        assert_eq!(
            RunEvent::Settled { replicas }.to_string(),
            "REPLICA   PID  URL         STATE\n\
             sales-0   7    grpc://h:1  ready\n\
             sales-10  -    grpc://h:1  starting"
        );
    }
}
