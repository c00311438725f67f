//! The run itself: one loop that hears of replicas, registrations, the file and signals, and carries out the next steps.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::directory::WorkDirectory;
use super::events::{ReplicaEvent, Row, RunEvent as Event};
use super::file::WatchedFile;
use super::fleet::{LocalFleet, Settings};
use super::log::Log;
use super::ports::FlightPorts;
use super::process::Program;
use super::registrar::{MayBeRegistered, Registrar, Wanted};
use super::replica::{Change, Replica};
use super::report::Reporter;
use super::steps::{Member, Phase, Steps, View, next_steps};
use crate::build::Secrets;

/// Replicas and their changes come in bursts of a few; a full queue only makes a replica's task wait.
const CHANGES: usize = 64;

/// All that a run needs and that does not change while it goes on.
pub(super) struct Setup {
    pub(super) program: Program,
    pub(super) port_base: u16,
    pub(super) verbose: bool,
    pub(super) reporter: Arc<Reporter>,
    pub(super) directory: WorkDirectory,
}

/// One replica that runs.
struct Running {
    phase: Phase,
    pid: Option<u32>,
    /// Where it listens, once it was started; a replica that is ready was.
    port: u16,
    settings: Arc<Settings>,
    drain: CancellationToken,
}

/// A run.
pub(super) struct Run {
    setup: Setup,
    fleet: Arc<LocalFleet>,
    kept: Secrets,
    ports: Arc<FlightPorts>,
    members: BTreeMap<u16, Running>,
    tasks: JoinSet<()>,
    kill: CancellationToken,
    changes: mpsc::Receiver<(u16, Change)>,
    changes_sender: mpsc::Sender<(u16, Change)>,
    registrar: RegistrarHandle,
    settled: bool,
}

/// What the run holds of the task that registers.
struct RegistrarHandle {
    task: JoinHandle<()>,
    stop: CancellationToken,
    wanted: watch::Sender<Option<Wanted>>,
    reports: mpsc::Receiver<MayBeRegistered>,
    /// What was told last, and the ports with it.
    registered: BTreeSet<u16>,
    ports: BTreeMap<u16, u16>,
    may_be_registered: MayBeRegistered,
    /// The fleet as it was told last; another one has to be told even with the same replicas.
    told: Option<Arc<LocalFleet>>,
}

impl RegistrarHandle {
    /// The report may be older than what was told since.
    fn heard(&mut self, report: MayBeRegistered) {
        self.may_be_registered = report;
        self.may_be_registered.extend(&self.registered);
    }
}

/// The signals that end a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "told to terminate",
            _ = self.hang_up.recv() => "the terminal is gone",
        }
    }
}

impl Run {
    pub(super) fn new(setup: Setup, fleet: LocalFleet, kept: Secrets) -> Self {
        let stop = CancellationToken::new();
        let (wanted, wanted_receiver) = watch::channel(None);
        let (changes_sender, changes) = mpsc::channel(CHANGES);
        let (reports_sender, reports) = mpsc::channel(CHANGES);
        let registrar = Registrar::new(
            wanted_receiver,
            reports_sender,
            stop.clone(),
            Arc::clone(&setup.reporter),
        );
        let registrar = RegistrarHandle {
            task: tokio::spawn(registrar.run()),
            stop,
            wanted,
            reports,
            registered: BTreeSet::new(),
            ports: BTreeMap::new(),
            may_be_registered: BTreeSet::new(),
            told: None,
        };
        Self {
            ports: Arc::new(FlightPorts::new(setup.port_base)),
            setup,
            fleet: Arc::new(fleet),
            kept,
            members: BTreeMap::new(),
            tasks: JoinSet::new(),
            kill: CancellationToken::new(),
            changes,
            changes_sender,
            registrar,
            settled: false,
        }
    }

    /// Runs until a signal, and takes everything down again.
    pub(super) async fn run(mut self, mut file: WatchedFile) -> io::Result<()> {
        let mut signals = Signals::listen()?;
        self.setup.reporter.report(&Event::Starting {
            fleet: self.fleet.name.to_string(),
            replicas: self.fleet.replicas,
            server: self.setup.program.path.display().to_string(),
            work_dir: self.setup.directory.path().display().to_string(),
        });
        self.tell_ignored(&[]);
        let outcome = loop {
            if let Err(error) = self.step() {
                break Err(error);
            }
            tokio::select! {
                reason = signals.next() => {
                    self.setup.reporter.report(&Event::Stopping { reason: reason.to_owned() });
                    break Ok(());
                }
                Some((ordinal, change)) = self.changes.recv() => self.apply(ordinal, change),
                Some(report) = self.registrar.reports.recv() => self.registrar.heard(report),
                text = file.changed() => self.follow(text),
                _ = &mut self.registrar.task => break Err(io::Error::other("the registration ended unexpectedly")),
            }
        };
        self.end(signals).await;
        outcome
    }

    /// Says which fields mean nothing here, if those are others than before.
    fn tell_ignored(&self, before: &[String]) {
        if self.fleet.ignored != before {
            self.setup.reporter.report(&Event::Ignored {
                fields: self.fleet.ignored.clone(),
            });
        }
    }

    /// Takes the new text of the file, or says why not.
    fn follow(&mut self, text: Result<String, String>) {
        let mut kept = self.kept.clone();
        let fleet = text.and_then(|text| LocalFleet::read(&text, &mut kept).map_err(|error| error.sentence()));
        let fleet = fleet.and_then(|fleet| {
            if fleet.name == self.fleet.name {
                Ok(fleet)
            } else {
                Err(format!(
                    "metadata.name: {} cannot become {}: end this run and start another",
                    self.fleet.name, fleet.name
                ))
            }
        });
        match fleet {
            Ok(fleet) => {
                self.setup.reporter.report(&Event::Changed {
                    replicas: fleet.replicas,
                });
                let before = std::mem::replace(&mut self.fleet, Arc::new(fleet));
                (self.kept, self.settled) = (kept, false);
                self.tell_ignored(&before.ignored);
            }
            Err(message) => self.setup.reporter.report(&Event::ChangeRefused { message }),
        }
    }

    fn apply(&mut self, ordinal: u16, change: Change) {
        let Some(member) = self.members.get_mut(&ordinal) else {
            return;
        };
        let draining = member.phase == Phase::Draining;
        match change {
            Change::Gone => {
                self.members.remove(&ordinal);
            }
            Change::Started { pid, port } => {
                member.pid = Some(pid);
                member.port = port;
            }
            Change::Ready if !draining => member.phase = Phase::Ready,
            Change::Down if !draining => {
                // One that never was ready goes on starting.
                if member.phase == Phase::Ready {
                    member.phase = Phase::Down;
                }
                self.settled = false;
            }
            Change::Ready | Change::Down => {}
        }
    }

    /// Decides what to do next, and does it.
    fn step(&mut self) -> io::Result<()> {
        let digest = self.fleet.settings.digest;
        let members = self.members.iter().map(|(ordinal, running)| {
            (
                *ordinal,
                Member {
                    phase: running.phase,
                    current: running.settings.digest == digest,
                },
            )
        });
        let members: BTreeMap<_, _> = members.collect();
        let Steps { start, drain, register } = next_steps(&View {
            wanted: self.fleet.replicas,
            members: &members,
            registering: !self.fleet.sources.is_empty(),
            registered: &self.registrar.registered,
            may_be_registered: &self.registrar.may_be_registered,
        });
        for ordinal in start {
            self.start(ordinal)?;
        }
        for ordinal in drain {
            if let Some(running) = self.members.get_mut(&ordinal) {
                running.phase = Phase::Draining;
                running.drain.cancel();
            }
        }
        self.register(register);
        self.settle();
        Ok(())
    }

    fn start(&mut self, ordinal: u16) -> io::Result<()> {
        let name = self.fleet.replica_name(ordinal);
        let log_path: PathBuf = self.setup.directory.path().join(format!("{name}.log"));
        let drain = CancellationToken::new();
        let replica = Replica {
            ordinal,
            name: name.clone(),
            ports: Arc::clone(&self.ports),
            settings: Arc::clone(&self.fleet.settings),
            program: self.setup.program.clone(),
            directory: self.setup.directory.replica(&name)?,
            log: Log::open(log_path, self.setup.verbose.then_some(name))?,
            reporter: Arc::clone(&self.setup.reporter),
            changes: self.changes_sender.clone(),
            drain: drain.clone(),
            kill: self.kill.clone(),
        };
        let settings = Arc::clone(&self.fleet.settings);
        let (changes, reporter) = (self.changes_sender.clone(), Arc::clone(&self.setup.reporter));
        self.tasks.spawn(async move {
            let name = replica.name.clone();
            if AssertUnwindSafe(replica.run()).catch_unwind().await.is_err() {
                // The panic took the process along. Gone, it is started anew.
                let message = "what looked after it failed".to_owned();
                let restart_in_ms = 1000;
                reporter.report(&ReplicaEvent::StartFailed {
                    replica: name,
                    message,
                    restart_in_ms,
                });
                sleep(Duration::from_millis(restart_in_ms)).await;
                let _ = changes.send((ordinal, Change::Gone)).await;
            }
        });
        let phase = Phase::Starting;
        self.members.insert(
            ordinal,
            Running {
                phase,
                pid: None,
                port: 0,
                settings,
                drain,
            },
        );
        Ok(())
    }

    /// Tells the registrar when there is something new to tell.
    fn register(&mut self, replicas: Option<BTreeSet<u16>>) {
        // Without data sources the registrar has to hear of it only when there were some.
        let none_left = self.fleet.sources.is_empty() && self.registrar.told.is_some();
        let Some(replicas) = replicas.or_else(|| none_left.then(BTreeSet::new)) else {
            return;
        };
        let registrar = &mut self.registrar;
        let same_fleet = registrar
            .told
            .as_ref()
            .is_some_and(|told| Arc::ptr_eq(told, &self.fleet));
        let port = |ordinal: &u16| Some((*ordinal, self.members.get(ordinal)?.port));
        let ports: BTreeMap<_, _> = replicas.iter().filter_map(port).collect();
        if same_fleet && registrar.ports == ports {
            return;
        }
        let wanted = Wanted {
            fleet: Arc::clone(&self.fleet),
            replicas: ports.clone(),
        };
        // Until the registrar reports, GoodData may know the old ones and the new ones.
        registrar.may_be_registered.extend(&replicas);
        (registrar.registered, registrar.ports) = (replicas, ports);
        registrar.told = Some(Arc::clone(&self.fleet));
        registrar.wanted.send_replace(Some(wanted));
    }

    /// Shows the replicas once all that shall run are ready.
    fn settle(&mut self) {
        let wanted = usize::from(self.fleet.replicas);
        let digest = self.fleet.settings.digest;
        let ready = |running: &Running| running.phase == Phase::Ready && running.settings.digest == digest;
        let settled = self.members.len() == wanted && self.members.values().all(ready);
        if settled && !self.settled {
            let row = |(ordinal, running): (&u16, &Running)| Row {
                replica: self.fleet.replica_name(*ordinal),
                pid: running.pid,
                url: running.settings.endpoint(*ordinal, running.port).url(),
                state: "ready",
            };
            self.setup.reporter.report(&Event::Settled {
                replicas: self.members.iter().map(row).collect(),
            });
        }
        self.settled = settled;
    }

    /// Takes the data sources away as they ask for it, then lets every replica drain. A second signal kills.
    async fn end(mut self, mut signals: Signals) {
        // Nobody listens to changes any more, so no replica may wait for that.
        self.changes.close();
        self.registrar.stop.cancel();
        let give_up = self.registrar.task.abort_handle();
        let drain = async {
            if !self.registrar.task.is_finished() {
                // A panic in there was printed already, and must not keep the replicas from being drained.
                let _ = (&mut self.registrar.task).await;
            }
            for running in self.members.values() {
                running.drain.cancel();
            }
            while self.tasks.join_next().await.is_some() {}
        };
        tokio::pin!(drain);
        loop {
            tokio::select! {
                () = &mut drain => break,
                _ = signals.next() => {
                    give_up.abort();
                    self.kill.cancel();
                }
            }
        }
        self.setup.reporter.report(&Event::Stopped);
    }
}
