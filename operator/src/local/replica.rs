//! Keeps one replica running: starts it, watches that it is ready, starts it again when it dies, drains it in the end.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::directory::write_private;
use super::events::ReplicaEvent as Event;
use super::fleet::{LISTEN_HOST, Ports, Settings};
use super::log::Log;
use super::ports::any_port;
use super::process::{Program, describe, kill, spawn, terminate};
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
const PROGRESS: Duration = Duration::from_secs(5);

/// What the fleet learns of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A process runs, and is not ready yet.
    Started {
        /// Its id.
        pid: u32,
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
    pub(super) url: String,
    pub(super) flight_port: u16,
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

/// Why a process ended, or what made us stop waiting for it.
enum End {
    Died { status: String, ready_for: Duration },
    Told,
}

impl Replica {
    /// Runs until it is told to drain and has drained.
    pub(super) async fn run(self) {
        let mut back_off = FIRST_BACK_OFF;
        for attempt in 1.. {
            let delay = back_off;
            match self.start(attempt).await {
                Ok((mut child, pid, health)) => match self.watch(&mut child, pid, health).await {
                    End::Told => {
                        self.stop(child).await;
                        break;
                    }
                    End::Died { status, ready_for } => {
                        let delay = if ready_for >= PROVEN { FIRST_BACK_OFF } else { delay };
                        back_off = (delay * 2).min(LAST_BACK_OFF);
                        self.changed(Change::Down).await;
                        let last_line = self.log.last_line();
                        let restart_in_ms = millis(delay);
                        self.report(&Event::Died {
                            replica: self.name.clone(),
                            pid,
                            status,
                            last_line,
                            restart_in_ms,
                        });
                        if self.told_within(delay).await {
                            break;
                        }
                    }
                },
                Err(error) => {
                    back_off = (delay * 2).min(LAST_BACK_OFF);
                    let message = format!("cannot be started: {error}");
                    let restart_in_ms = millis(delay);
                    self.report(&Event::StartFailed {
                        replica: self.name.clone(),
                        message,
                        restart_in_ms,
                    });
                    if self.told_within(delay).await {
                        break;
                    }
                }
            }
        }
        self.changed(Change::Gone).await;
    }

    async fn start(&self, attempt: u64) -> io::Result<(Child, u32, u16)> {
        // Another health port each time: the last one may be what is in the way.
        let ports = Ports {
            flight: self.flight_port,
            health: any_port()?,
        };
        for (name, content) in &self.settings.files {
            write_private(&self.directory.join(name), content)?;
        }
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
        if let Some(output) = child.stdout.take() {
            tokio::spawn(self.log.clone().copy(output));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(self.log.clone().copy(output));
        }
        self.report(&Event::Started {
            replica: self.name.clone(),
            pid,
            url: self.url.clone(),
            health: format!("http://{LISTEN_HOST}:{}", ports.health),
            log: self.log.path().display().to_string(),
            attempt,
        });
        self.changed(Change::Started { pid }).await;
        Ok((child, pid, ports.health))
    }

    /// Follows the readiness of a process until it ends or is told to.
    async fn watch(&self, child: &mut Child, pid: u32, health: u16) -> End {
        let probe = Probe::new(health);
        let mut ready_since = None;
        let mut missed = 0;
        let mut ticks = interval(STARTING_PROBE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = self.drain.cancelled() => return End::Told,
                () = self.kill.cancelled() => return End::Told,
                status = child.wait() => {
                    let ready_for = ready_since.map_or(Duration::ZERO, |since: Instant| since.elapsed());
                    return End::Died { status: describe(status), ready_for };
                }
                ready = async { ticks.tick().await; probe.is_ready().await } => match (ready, ready_since) {
                    (true, None) => {
                        (ready_since, missed) = (Some(Instant::now()), 0);
                        ticks = interval(READY_PROBE);
                        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                        self.report(&Event::Ready { replica: self.name.clone(), pid, url: self.url.clone() });
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
    async fn stop(&self, mut child: Child) {
        let begin = Instant::now();
        let bound = Duration::from_secs(self.settings.drain_seconds);
        self.report(&Event::Draining {
            replica: self.name.clone(),
            pid: child.id(),
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
