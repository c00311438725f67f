//! Does what the fleet says, and tells it what happens: the one place that speaks with host and workers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::ending::Ending;
use super::fleet::{Action, Bounds, Event, Fleet};
use super::floor::Grow;
use super::interpreter;
use super::keeper::{HostEnded, Keeper};
use super::links::{self, Heard, Line};
use super::shared::{Order, Shared};
use super::size::Sizes;
use super::wire::{Connection, Ended, FromHost, HostGreeting, Listed, Loaded, PROTOCOL, Signal, Started, WireError};
use super::{PythonError, lock};
use crate::admin::Health;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::RestartReason;

/// How long workers, and then the host, may take to end with the server.
const FAREWELL: Duration = Duration::from_secs(12);

/// What a server's health and metrics show of its workers.
#[derive(Debug, Default)]
pub(super) struct View {
    /// How many workers are in each state.
    pub(super) states: BTreeMap<&'static str, usize>,
    /// Bytes by place.
    pub(super) memory: BTreeMap<usize, u64>,
    /// The place of each worker.
    pub(super) places: HashMap<u64, usize>,
}

pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) view: Arc<Mutex<View>>,
    pub(super) keeper: Keeper,
    pub(super) sizes: Sizes,
    /// What workers are told to load, by the number of threads they shall have.
    pub(super) brief: Value,
    pub(super) metrics: Metrics,
    pub(super) health: Option<Health>,
    pub(super) heard: mpsc::Receiver<Heard>,
    pub(super) hear: mpsc::Sender<Heard>,
    pub(super) orders: mpsc::UnboundedReceiver<Order>,
    /// The first worker that loads, or the first failure, decides about the start.
    pub(super) first: Option<oneshot::Sender<Result<Vec<Listed>, PythonError>>>,
    pub(super) ends: oneshot::Receiver<()>,
}

/// A command to the host that can wait in line.
type ToHost = Value;
type ToWorker = super::wire::ToWorker;

struct State {
    fleet: Fleet,
    host: Option<(u64, Line<ToHost>)>,
    /// Hosts that were started.
    hosts: u64,
    /// The last one that is known to be gone.
    lost: u64,
    workers: HashMap<u64, Line<ToWorker>>,
    /// Why workers that said what they must not were ended.
    broken: HashMap<u64, String>,
    listed: Option<Vec<Listed>>,
    /// Workers in which a module is not well.
    ailing: BTreeMap<String, BTreeSet<u64>>,
    tasks: JoinSet<()>,
}

impl Supervisor {
    /// Runs until the server ends. Dropping the future ends host and workers, since their connections close.
    pub(super) async fn run(mut self) {
        let bounds = self.sizes.bounds();
        let mut state = State {
            fleet: Fleet::new(bounds, rand::random),
            host: None,
            hosts: 0,
            lost: 0,
            workers: HashMap::new(),
            broken: HashMap::new(),
            listed: None,
            ailing: BTreeMap::new(),
            tasks: JoinSet::new(),
        };
        self.feed(&mut state, Event::Tick);
        loop {
            let wake = state.fleet.wake();
            let event = tokio::select! {
                biased;
                _ = &mut self.ends => break,
                Some(heard) = self.heard.recv() => self.hear(&mut state, heard),
                Some(order) = self.orders.recv() => Self::obey(&mut state, order),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Some(Event::Tick),
                Some(_) = state.tasks.join_next() => None,
            };
            if let Some(event) = event {
                self.feed(&mut state, event);
            }
        }
        self.end(state).await;
    }

    /// Ends the workers, then the host.
    async fn end(mut self, mut state: State) {
        let until = Instant::now() + FAREWELL;
        self.feed(&mut state, Event::Shutdown);
        while !state.fleet.is_empty() {
            let wake = state.fleet.wake().unwrap_or(until).min(until);
            let event = tokio::select! {
                Some(heard) = self.heard.recv() => self.hear(&mut state, heard),
                () = sleep_until(wake) => Some(Event::Tick),
            };
            if let Some(event) = event {
                self.feed(&mut state, event);
            }
            if Instant::now() >= until {
                break;
            }
        }
        // The host ends when its connection does.
        drop(state);
        while self.keeper.process().id().is_some() {
            tokio::select! {
                heard = self.heard.recv() => if let Some(Heard::HostEnded(_)) = heard {
                    return;
                },
                () = sleep_until(until) => return self.keeper.process().kill(),
            }
        }
    }

    /// Tells the fleet, and does what it says.
    fn feed(&mut self, state: &mut State, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for action in state.fleet.on(event, Instant::now()) {
                if let Some(event) = self.act(state, action) {
                    events.push(event);
                }
            }
        }
        let states: BTreeMap<_, _> = state
            .fleet
            .states()
            .into_iter()
            .map(|(state, count)| (state.label(), count))
            .collect();
        lock(&self.view).states.clone_from(&states);
        let up = lock(&self.shared.floor).open_workers() > 0;
        self.shared.up.send_if_modified(|was| std::mem::replace(was, up) != up);
        if let Some(health) = &self.health {
            health.set_workers(up, states);
        }
    }

    fn act(&mut self, state: &mut State, action: Action) -> Option<Event> {
        match action {
            Action::StartHost => {
                state.hosts += 1;
                self.keeper.start_one();
            }
            Action::Start { worker, place } => {
                let key = format!("{:032x}", rand::random::<u128>());
                lock(&self.shared.keys).insert(worker, key.clone());
                lock(&self.view).places.insert(worker, place);
                self.shared.endings.begin(worker);
                state.tell_host(&super::wire::ToHost::Start {
                    worker,
                    key: &key,
                    slot: place,
                });
            }
            Action::Load(worker) => {
                if let Some(line) = state.workers.get(&worker) {
                    self.brief["threads"] = self.sizes.threads().into();
                    line.say_with(ToWorker::Load, self.brief.to_string().into_bytes());
                }
            }
            Action::Open(worker) => {
                let mut floor = lock(&self.shared.floor);
                floor.set_calls(self.sizes.threads());
                let Grow { worker, count } = floor.open(worker);
                drop(floor);
                state.tell(worker, ToWorker::Slots { count });
            }
            Action::Close(worker) => {
                if lock(&self.shared.floor).close(worker) {
                    return Some(Event::Idle(worker));
                }
            }
            Action::Stop(worker) => state.tell(worker, ToWorker::Stop),
            Action::Signal(worker, signal) => state.signal(worker, signal),
        }
        None
    }

    fn obey(state: &mut State, order: Order) -> Option<Event> {
        match order {
            Order::Grow(Grow { worker, count }) => state.tell(worker, ToWorker::Slots { count }),
            Order::Cancel { worker, task } => {
                let task = task.to_string();
                state.tell(worker, ToWorker::Cancel { task });
            }
            Order::Drop { worker, stream } => state.tell(worker, ToWorker::Drop { stream }),
            Order::Hung { worker } => return Some(Event::Hung(worker)),
            Order::Idle { worker } => return Some(Event::Idle(worker)),
            Order::Broken { worker, why } => return Self::broken(state, worker, why),
        }
        None
    }

    /// What a worker says that breaks the protocol ends it.
    fn broken(state: &mut State, worker: u64, why: String) -> Option<Event> {
        if state.fleet.place(worker).is_none() || state.broken.contains_key(&worker) {
            return None;
        }
        tracing::error!(worker, why, "python_worker_broke_protocol");
        state.broken.insert(worker, why);
        state.signal(worker, Signal::Kill);
        Some(Event::Lost(worker))
    }

    fn hear(&mut self, state: &mut State, heard: Heard) -> Option<Event> {
        match heard {
            Heard::HostCame(greeting, connection) => self.host_came(state, greeting, connection),
            Heard::Host(number, said) => match &state.host {
                Some((current, _)) if *current == number => self.host_says(state, said),
                Some(_) | None => None,
            },
            Heard::HostGone(number, error) => match &state.host {
                Some((current, _)) if *current == number => {
                    tracing::warn!(error = %crate::telemetry::chain(&error), "python_host_gone");
                    self.see_off(state);
                    Some(self.host_lost(state, number))
                }
                Some(_) | None => None,
            },
            Heard::HostEnded(HostEnded { number, how, words }) => {
                tracing::error!(how, "python_host_ended");
                self.decide(Err(PythonError::Host { how, words }));
                // Its connection may have said so before, and the next one may be coming.
                if state.lost == number {
                    None
                } else {
                    Some(self.host_lost(state, number))
                }
            }
            Heard::WorkerCame(worker, connection) => {
                state.fleet.place(worker)?;
                let connection = Arc::new(connection);
                let line = Line::open(Arc::clone(&connection), &mut state.tasks);
                state.workers.insert(worker, line);
                let shared = Arc::clone(&self.shared);
                state
                    .tasks
                    .spawn(links::hear_worker(worker, connection, shared, self.hear.clone()));
                Some(Event::Arrived(worker))
            }
            Heard::Loaded(worker, loaded) => self.loaded(state, worker, loaded),
            Heard::Unloadable {
                worker,
                message,
                advice,
                traceback,
            } => {
                let worker_place = state.fleet.place(worker);
                tracing::error!(
                    worker = worker_place,
                    reason = message,
                    advice,
                    exception = traceback,
                    "python_functions_not_loaded"
                );
                self.decide(Err(PythonError::Unloadable { message, advice }));
                Some(Event::Unloadable(worker))
            }
            Heard::Health { worker, module, status } => {
                self.module_says(state, worker, module, &status);
                None
            }
            Heard::WorkerGone(worker, error) => {
                state.workers.remove(&worker);
                match error {
                    WireError::Closed => Some(Event::Lost(worker)),
                    error @ (WireError::Malformed(_) | WireError::Io(_)) => {
                        Self::broken(state, worker, crate::telemetry::chain(&error))
                    }
                }
            }
            Heard::SlotCame(worker, connection) => {
                drop(lock(&self.shared.floor).arrive(worker, connection));
                None
            }
        }
    }

    fn host_came(&mut self, state: &mut State, greeting: HostGreeting, connection: Connection) -> Option<Event> {
        let HostGreeting {
            protocol,
            python,
            cpus,
            memory,
        } = greeting;
        if protocol != PROTOCOL || !interpreter::is_supported(&python) {
            self.decide(Err(PythonError::Unsupported { python }));
            return None;
        }
        if state.host.is_some() {
            return None;
        }
        tracing::info!(python, cpus, memory, "python_host_ready");
        self.sizes.host(cpus, memory);
        state.fleet.resize(self.sizes.bounds());
        let connection = Arc::new(connection);
        let line = Line::open(Arc::clone(&connection), &mut state.tasks);
        state.host = Some((state.hosts, line));
        let view = Arc::clone(&self.view);
        let place = move |worker| lock(&view).places.get(&worker).copied().unwrap_or_default();
        state
            .tasks
            .spawn(links::hear_host(state.hosts, connection, place, self.hear.clone()));
        Some(Event::HostUp)
    }

    fn host_says(&mut self, state: &mut State, said: FromHost) -> Option<Event> {
        match said {
            FromHost::Started(Started { worker, pid }) => {
                let place = state.fleet.place(worker);
                tracing::info!(worker = place, pid, "python_worker_started");
                None
            }
            FromHost::Failed { worker, message } => {
                tracing::error!(
                    worker = state.fleet.place(worker),
                    reason = message,
                    "python_worker_not_started"
                );
                self.decide(Err(PythonError::NotStarted(message)));
                self.metrics.worker_restarted(RestartReason::NotStarted);
                self.gone(state, worker, &Ending::Unknown);
                Some(Event::Exited(worker))
            }
            FromHost::Exited(ended) => Some(self.exited(state, &ended)),
            FromHost::Memory { workers } => {
                let sizes = workers
                    .into_iter()
                    .filter_map(|(worker, bytes)| Some((worker.parse::<u64>().ok()?, bytes)));
                for (worker, bytes) in sizes {
                    if let Some(place) = state.fleet.place(worker) {
                        lock(&self.view).memory.insert(place, bytes);
                        self.feed(state, Event::Memory(worker, bytes));
                    }
                }
                None
            }
            // It goes to the log before it comes here.
            FromHost::Output { .. } => None,
        }
    }

    fn exited(&mut self, state: &mut State, ended: &Ended) -> Event {
        let worker = ended.worker;
        let meant = state.fleet.reason(worker);
        let by_itself = Ending::of(ended);
        let ending = match (state.broken.remove(&worker), meant) {
            (Some(why), _) => Ending::Broken(why),
            (None, Some(RestartReason::Hung)) => Ending::Hung,
            (None, _) => by_itself.clone(),
        };
        let reason = match (&ending, meant) {
            (Ending::Broken(_), _) => RestartReason::Protocol,
            (_, Some(meant)) if meant != RestartReason::Exited => meant,
            (Ending::Signalled { oom: true, .. }, _) => RestartReason::OutOfMemory,
            (Ending::Signalled { .. }, _) => RestartReason::Killed,
            (Ending::Exited(_) | Ending::Hung | Ending::HostLost | Ending::Unknown, _) => RestartReason::Exited,
        };
        let place = state.fleet.place(worker);
        let how = by_itself.text();
        if state.fleet.is_ending() {
            tracing::debug!(worker = place, how, "python_worker_ended");
        } else {
            tracing::warn!(worker = place, how, reason = reason.label(), "python_worker_ended");
            self.metrics.worker_restarted(reason);
        }
        if self.first.is_some() {
            self.decide(Err(PythonError::Ended(by_itself.text())));
        }
        self.gone(state, worker, &ending);
        Event::Exited(worker)
    }

    /// A worker is no more: whoever waits for it is told.
    fn gone(&mut self, state: &mut State, worker: u64, ending: &Ending) {
        self.shared.endings.tell(worker, ending);
        state.workers.remove(&worker);
        lock(&self.shared.keys).remove(&worker);
        let free = lock(&self.shared.floor).remove(worker);
        drop(free);
        let place = lock(&self.view).places.remove(&worker);
        // The next one in its place may have been measured, and will be again.
        place.and_then(|place| lock(&self.view).memory.remove(&place));
        for module in state.ailing.values_mut() {
            module.remove(&worker);
        }
        self.show_health(state);
    }

    /// Kills a host whose connection is closed if it does not end by itself.
    fn see_off(&self, state: &mut State) {
        let process = self.keeper.process();
        let id = process.id();
        state.tasks.spawn(async move {
            sleep(FAREWELL).await;
            if process.id() == id {
                process.kill();
            }
        });
    }

    fn host_lost(&mut self, state: &mut State, number: u64) -> Event {
        state.host = None;
        state.lost = number;
        let workers: Vec<u64> = lock(&self.view).places.keys().copied().collect();
        for worker in workers {
            self.metrics.worker_restarted(RestartReason::HostLost);
            self.gone(state, worker, &Ending::HostLost);
        }
        Event::HostDown
    }

    fn loaded(&mut self, state: &mut State, worker: u64, loaded: Loaded) -> Option<Event> {
        let Loaded {
            functions,
            versions,
            memory,
        } = loaded;
        let json_versions = serde_json::to_value(versions).unwrap_or_default();
        let place = state.fleet.place(worker);
        tracing::info!(
            worker = place,
            functions = functions.len(),
            memory,
            json.versions = %json_versions,
            "python_worker_ready"
        );
        match &state.listed {
            None => {
                self.sizes.worker(memory);
                state.fleet.resize(self.sizes.bounds());
                let (workers, threads) = (self.sizes.bounds().places, self.sizes.threads());
                tracing::info!(
                    workers,
                    threads,
                    memory_limit = self.sizes.bounds().memory,
                    "python_workers"
                );
                state.listed = Some(functions.clone());
                self.feed(state, Event::Loaded(worker));
                self.decide(Ok(functions));
                None
            }
            Some(listed) => {
                if *listed != functions {
                    let advice = "modules should offer the same functions in every process: those of the first count";
                    tracing::warn!(worker = place, advice, "python_functions_differ");
                }
                Some(Event::Loaded(worker))
            }
        }
    }

    /// Says how the start went, if nobody did before.
    fn decide(&mut self, outcome: Result<Vec<Listed>, PythonError>) {
        if let Some(first) = self.first.take() {
            let _ = first.send(outcome);
        }
    }

    fn module_says(&self, state: &mut State, worker: u64, module: String, status: &str) {
        let ailing = state.ailing.entry(module).or_default();
        if status.eq_ignore_ascii_case("ok") {
            ailing.remove(&worker);
        } else {
            ailing.insert(worker);
        }
        self.show_health(state);
    }

    fn show_health(&self, state: &State) {
        let Some(health) = &self.health else { return };
        for (module, ailing) in &state.ailing {
            let module = health.module(module);
            if ailing.is_empty() {
                module.ok();
            } else {
                module.not_ok();
            }
        }
    }
}

impl State {
    fn tell(&self, worker: u64, said: ToWorker) {
        if let Some(line) = self.workers.get(&worker) {
            line.say(said);
        }
    }

    fn tell_host(&self, said: &super::wire::ToHost<'_>) {
        if let (Some((_, line)), Ok(said)) = (&self.host, serde_json::to_value(said)) {
            line.say(said);
        }
    }

    fn signal(&self, worker: u64, signal: Signal) {
        self.tell_host(&super::wire::ToHost::Kill { worker, signal });
    }
}

/// Sizes as the fleet wants them.
pub(super) const fn bounds(places: usize, memory: Option<u64>) -> Bounds {
    Bounds { places, memory }
}
