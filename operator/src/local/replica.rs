//! Keeps one replica running: starts it, watches that it is ready, starts it again when it dies, drains it in the end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::directory::write_private;
use super::events::ReplicaEvent as Event;
use super::fleet::{LISTEN_HOST, Ports, Settings};
use super::log::Log;
use super::ports::{FlightPorts, any_port};
use super::process::{Program, describe, kill, kill_rest, spawn, terminate};
use super::report::Reporter;
use crate::build::CONFIG_KEY;

const STARTING_PROBE: Duration = Duration::from_millis(50);
const READY_PROBE: Duration = Duration::from_millis(500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Answers that may be missed before a replica counts as not ready; its process ending counts at once.
const PROBES_MISSED: u32 = 3;
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LAST_BACK_OFF: Duration = Duration::from_secs(30);
/// A replica that was ready for so long starts again without delay.
const PROVEN: Duration = Duration::from_mins(1);
/// How long what a dead process wrote may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);
const PROGRESS: Duration = Duration::from_secs(5);

/// What the fleet learns of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A process runs, and is not ready yet.
    Started {
        /// Its id.
        pid: u32,
        /// The port of its Flight service.
        port: u16,
    },
    /// It is ready.
    Ready,
    /// It is not, for now.
    Down,
    /// It has drained, as it was told.
    Gone,
}

/// One replica, and all that it is started with.
pub(super) struct Replica {
    pub(super) ordinal: u16,
    pub(super) name: String,
    pub(super) ports: Arc<FlightPorts>,
    pub(super) settings: Arc<Settings>,
    pub(super) program: Program,
    pub(super) directory: PathBuf,
    pub(super) log: Log,
    pub(super) reporter: Arc<Reporter>,
    pub(super) changes: mpsc::Sender<(u16, Change)>,
    /// Cancelled when it shall drain.
    pub(super) drain: CancellationToken,
    /// Cancelled when it shall end at once.
    pub(super) kill: CancellationToken,
}

/// A process of the replica, and where it listens.
struct Process {
    child: Child,
    pid: u32,
    url: String,
    health_port: u16,
    /// The tasks that copy its output.
    outputs: Vec<JoinHandle<()>>,
}

/// Why a process ended, or what made us stop waiting for it.
enum End {
    /// It ended; `ready_for` says how long it had been ready, if it ever was.
    Died {
        status: String,
        ready_for: Option<Duration>,
    },
    Told,
}

impl Replica {
    /// Runs until it is told to drain and has drained.
    pub(super) async fn run(self) {
        let mut back_off = FIRST_BACK_OFF;
        let mut registered_port = None;
        for attempt in 1.. {
            let delay = match self.start(attempt, registered_port).await {
                Ok((mut process, port)) => match self.watch(&mut process).await {
                    End::Told => {
                        self.stop(process).await;
                        break;
                    }
                    End::Died { status, ready_for } => {
                        // Once ready its URL may be registered, and stays what it is.
                        registered_port = registered_port.or(ready_for.map(|_| port));
                        let proven = ready_for.is_some_and(|ready_for| ready_for >= PROVEN);
                        let delay = if proven { FIRST_BACK_OFF } else { back_off };
                        self.died(process, status, delay).await;
                        delay
                    }
                },
                Err(error) => {
                    self.report(&Event::StartFailed {
                        replica: self.name.clone(),
                        message: format!("cannot be started: {error}"),
                        restart_in_ms: millis(back_off),
                    });
                    back_off
                }
            };
            back_off = (delay * 2).min(LAST_BACK_OFF);
            if self.told_within(delay).await {
                break;
            }
        }
        self.changed(Change::Gone).await;
    }

    /// Starts a process on the port that is registered, or on one that is free now.
    async fn start(&self, attempt: u64, registered_port: Option<u16>) -> io::Result<(Process, u16)> {
        let flight = match registered_port {
            Some(port) => port,
            None => self.ports.port(self.ordinal)?,
        };
        let health_port = any_port()?;
        for (name, content) in &self.settings.files {
            let path = self.directory.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            write_private(&path, content)?;
        }
        let ports = Ports {
            flight,
            health: health_port,
        };
        let config = self.settings.render(ports, &self.directory);
        write_private(&self.directory.join(CONFIG_KEY), config.as_bytes())?;

        let mut arguments: Vec<OsString> = vec!["start".into(), "--config".into()];
        arguments.extend(
            self.settings
                .config_files()
                .map(|name| self.directory.join(name).into_os_string()),
        );
        let mut environment = vec![("POD_NAME".to_owned(), self.name.clone())];
        environment.extend(self.settings.environment.iter().cloned());

        self.log.forget_last_line();
        let mut child = spawn(&self.program, &arguments, &environment)?;
        let pid = child.id().unwrap_or_default();
        let stdout = child
            .stdout
            .take()
            .map(|output| tokio::spawn(self.log.clone().copy(output)));
        let stderr = child
            .stderr
            .take()
            .map(|output| tokio::spawn(self.log.clone().copy(output)));
        let process = Process {
            child,
            pid,
            url: self.settings.endpoint(self.ordinal, flight).url(),
            health_port,
            outputs: stdout.into_iter().chain(stderr).collect(),
        };
        self.report(&Event::Started {
            replica: self.name.clone(),
            pid,
            url: process.url.clone(),
            health: format!("http://{LISTEN_HOST}:{health_port}"),
            log: self.log.path().display().to_string(),
            attempt,
        });
        self.changed(Change::Started { pid, port: flight }).await;
        Ok((process, flight))
    }

    /// Tells that a process ended by itself, with what it said last.
    async fn died(&self, process: Process, status: String, restart_in: Duration) {
        self.changed(Change::Down).await;
        // What it wrote is still on its way; a child of it that holds the pipe open ends now, too.
        kill_rest(process.pid);
        let _ = timeout(LAST_WORDS, join_all(process.outputs)).await;
        self.report(&Event::Died {
            replica: self.name.clone(),
            pid: process.pid,
            status,
            last_line: self.log.last_line(),
            restart_in_ms: millis(restart_in),
        });
    }

    /// Follows the readiness of a process until it ends or is told to.
    async fn watch(&self, process: &mut Process) -> End {
        let probe = Probe::new(process.health_port);
        let (pid, url) = (process.pid, &process.url);
        let mut ready_since: Option<Instant> = None;
        let mut was_ready = false;
        let mut missed = 0;
        let mut ticks = interval(STARTING_PROBE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.drain.cancelled() => return End::Told,
                () = self.kill.cancelled() => return End::Told,
                status = process.child.wait() => {
                    let ready_for = ready_since.map(|since| since.elapsed());
                    let ready_for = ready_for.or(was_ready.then_some(Duration::ZERO));
                    return End::Died { status: describe(status), ready_for };
                }
                ready = async { ticks.tick().await; probe.is_ready().await } => match (ready, ready_since) {
                    (true, None) => {
                        (ready_since, was_ready, missed) = (Some(Instant::now()), true, 0);
                        ticks = interval(READY_PROBE);
                        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                        self.report(&Event::Ready { replica: self.name.clone(), pid, url: url.clone() });
                        self.changed(Change::Ready).await;
                    }
                    (true, Some(_)) => missed = 0,
                    (false, None) => {}
                    (false, Some(_)) => {
                        missed += 1;
                        if missed == PROBES_MISSED {
                            ready_since = None;
                            self.report(&Event::NotReady { replica: self.name.clone(), pid });
                            self.changed(Change::Down).await;
                        }
                    }
                },
            }
        }
    }

    /// Lets it drain, within its bound.
    async fn stop(&self, process: Process) {
        let Process { mut child, pid, .. } = process;
        let begin = Instant::now();
        let bound = Duration::from_secs(self.settings.drain_seconds);
        self.report(&Event::Draining {
            replica: self.name.clone(),
            pid,
        });
        terminate(&child);
        let mut killed = false;
        let mut progress = interval(PROGRESS);
        progress.tick().await;
        let status = loop {
            tokio::select! {
                status = child.wait() => break describe(status),
                () = self.kill.cancelled(), if !killed => {
                    killed = true;
                    kill(&child);
                }
                () = sleep_until(begin + bound), if !killed => {
                    killed = true;
                    kill(&child);
                }
                _ = progress.tick() => self.report(&Event::StillDraining {
                    replica: self.name.clone(),
                    seconds: begin.elapsed().as_secs(),
                    bound_seconds: bound.as_secs(),
                }),
            }
        };
        kill_rest(pid);
        let milliseconds = millis(begin.elapsed());
        self.report(&Event::Drained {
            replica: self.name.clone(),
            status,
            milliseconds,
            killed,
        });
    }

    async fn told_within(&self, delay: Duration) -> bool {
        tokio::select! {
            () = self.drain.cancelled() => true,
            () = self.kill.cancelled() => true,
            () = sleep(delay) => false,
        }
    }

    fn report(&self, event: &Event) {
        self.reporter.report(event);
    }

    async fn changed(&self, change: Change) {
        // Nobody listens any more only when the whole run ends.
        let _ = self.changes.send((self.ordinal, change)).await;
    }
}

/// Asks a server whether it is ready.
struct Probe {
    http: Option<reqwest::Client>,
    url: String,
}

impl Probe {
    fn new(port: u16) -> Self {
        // A loopback address is never behind a proxy, and needs no certificates.
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .pool_max_idle_per_host(0)
            .build()
            .ok();
        Self {
            http,
            url: format!("http://{LISTEN_HOST}:{port}/ready"),
        }
    }

    async fn is_ready(&self) -> bool {
        let Some(http) = &self.http else { return false };
        matches!(timeout(PROBE_TIMEOUT, http.get(&self.url).send()).await, Ok(Ok(answer)) if answer.status().is_success())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
