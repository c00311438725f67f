//! What becomes of workers: when one is started, replaced, told to stop, killed. Pure: events go in, actions come out, and
//! the time is given.
//!
//! ```text
//! Starting ─► Loading ─► Ready ─► Outgoing ─► Retiring ─► Stopping ─► Dying ─► (gone)
//! ```
//!
//! There is a number of places, each for one worker that serves. A worker that is to be replaced serves on until the next
//! one of its place is ready (*outgoing*), then finishes what it has begun (*retiring*). One in which a call hangs takes
//! no new calls at once. A place whose workers fail one after the other waits longer each time.

mod backoff;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::wire::Signal;
use crate::telemetry::metrics::{RestartReason, WorkerState};

/// How long a process may take until it connects. Loading, which is the modules' own work, may take as long as it likes.
const START: Duration = Duration::from_mins(1);

/// How long a worker in which a call hangs may go on for the sake of its other calls.
const HUNG: Duration = Duration::from_secs(10);

/// How long one that is replaced may go on for the sake of its calls and streams: longer than legal calls take.
const RETIRE: Duration = Duration::from_mins(10);

/// How long a worker may take to stop before it is killed, and from a signal to the next, harder one.
const STOP: Duration = Duration::from_secs(5);
const KILL: Duration = Duration::from_secs(2);

/// Of the memory that a worker may use, so many hundredths make it outgoing.
const SOFT: u64 = 90;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The host is connected.
    HostUp,
    /// The host is gone, and all workers with it.
    HostDown,
    /// The process is there, and connected.
    Arrived(u64),
    /// Its functions are loaded.
    Loaded(u64),
    /// Its functions cannot be loaded; it ends by itself.
    Unloadable(u64),
    /// Its connection is closed, or it says what it must not: it is of no use any more.
    Lost(u64),
    /// A call in it does not come back.
    Hung(u64),
    /// Nothing runs in it, and none of its streams is open.
    Idle(u64),
    /// It uses so many bytes.
    Memory(u64, u64),
    /// The modules changed: every worker is to be replaced.
    Renew,
    /// The process is gone, or never was.
    Exited(u64),
    /// Time passed.
    Tick,
    /// The server ends.
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start the host.
    StartHost,
    /// Start a worker in a place.
    Start {
        worker: u64,
        place: usize,
    },
    /// Have it load its functions.
    Load(u64),
    /// Give it calls from now on.
    Open(u64),
    /// Give it no more calls.
    Close(u64),
    /// Tell it to stop; nothing runs in it.
    Stop(u64),
    Signal(u64, Signal),
}

/// How many workers there are, and what they may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) places: usize,
    /// Bytes of memory that one worker may use.
    pub(super) memory: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    place: usize,
    state: State,
    since: Instant,
    ready_at: Option<Instant>,
    /// Why it goes, where that was decided here.
    reason: Option<RestartReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Loading,
    Ready,
    Outgoing,
    Retiring { patience: Duration },
    Stopping,
    Dying,
}

/// What tries again after failures.
#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    failures: u32,
    not_before: Option<Instant>,
}

impl Retry {
    fn failed(&mut self, now: Instant, healthy: bool, random: f64) {
        self.failures = if healthy { 1 } else { self.failures.saturating_add(1) };
        self.not_before = Some(now + backoff::delay(self.failures, random));
    }

    fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Down,
    Coming,
    Up { since: Instant },
}

/// All workers of one server.
#[derive(Debug)]
pub(super) struct Fleet {
    bounds: Bounds,
    host: Host,
    host_retry: Retry,
    places: Vec<Retry>,
    workers: BTreeMap<u64, Worker>,
    last: u64,
    ends: bool,
    random: fn() -> f64,
}

impl Fleet {
    /// Nothing runs yet. `random` gives numbers from 0 to 1.
    pub(super) fn new(bounds: Bounds, random: fn() -> f64) -> Self {
        let mut fleet = Self {
            bounds,
            host: Host::Down,
            host_retry: Retry::default(),
            places: Vec::new(),
            workers: BTreeMap::new(),
            last: 0,
            ends: false,
            random,
        };
        fleet.resize(bounds);
        fleet
    }

    /// There is room for more workers, or each may use more, from now on.
    pub(super) fn resize(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        self.places.resize(bounds.places.max(1), Retry::default());
    }

    /// Takes note of an event; says what to do.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::HostUp => {
                self.host = Host::Up { since: now };
                // What failed with another host may go well with this one.
                self.places.fill(Retry::default());
            }
            Event::HostDown => self.host_down(now),
            Event::Arrived(worker) => {
                if self.enter(worker, State::Starting, State::Loading, now) {
                    actions.push(Action::Load(worker));
                }
            }
            Event::Loaded(worker) => self.loaded(worker, now, &mut actions),
            Event::Unloadable(worker) => self.leave(worker, State::Stopping, RestartReason::Unloadable, now),
            Event::Lost(worker) => self.lost(worker, now, &mut actions),
            Event::Hung(worker) => {
                if self.serves(worker) {
                    actions.push(Action::Close(worker));
                    self.leave(worker, State::Retiring { patience: HUNG }, RestartReason::Hung, now);
                }
            }
            Event::Idle(worker) => self.idle(worker, now, &mut actions),
            Event::Memory(worker, bytes) => self.measured(worker, bytes, now, &mut actions),
            Event::Exited(worker) => self.exited(worker, now),
            Event::Renew => self.renew(now, &mut actions),
            Event::Tick => {}
            Event::Shutdown => self.shut_down(now, &mut actions),
        }
        self.urge(now, &mut actions);
        self.fill(now, &mut actions);
        actions
    }

    /// When time itself is the next event.
    pub(super) fn wake(&self) -> Option<Instant> {
        let workers = self.workers.values().filter_map(Worker::until);
        let host = [self.host_retry].into_iter().filter(|_| self.host == Host::Down);
        let idle = self.places.iter().copied();
        let retries = host.chain(idle).filter_map(|retry| retry.not_before);
        workers.chain(retries).min()
    }

    /// How many workers are in each state.
    pub(super) fn states(&self) -> BTreeMap<WorkerState, usize> {
        let mut states: BTreeMap<_, _> = WorkerState::ALL.iter().map(|state| (*state, 0)).collect();
        for worker in self.workers.values() {
            *states.entry(worker.state.label()).or_default() += 1;
        }
        let vacant = (0..self.places.len()).filter(|&place| self.is_vacant(place));
        *states.entry(WorkerState::Dead).or_default() += vacant.count();
        states
    }

    /// Why a worker goes, where that was decided here.
    pub(super) fn reason(&self, worker: u64) -> Option<RestartReason> {
        self.workers.get(&worker)?.reason
    }

    /// Its place, which labels go by.
    pub(super) fn place(&self, worker: u64) -> Option<usize> {
        self.workers.get(&worker).map(|worker| worker.place)
    }

    /// Whether nothing is started any more.
    pub(super) const fn is_ending(&self) -> bool {
        self.ends
    }

    /// Whether no process is left.
    pub(super) fn is_empty(&self) -> bool {
        self.workers.is_empty()
    }

    fn serves(&self, worker: u64) -> bool {
        let state = self.workers.get(&worker).map(|worker| worker.state);
        matches!(state, Some(State::Ready | State::Outgoing))
    }

    /// Moves a worker on if it is where it should be.
    fn enter(&mut self, worker: u64, from: State, to: State, now: Instant) -> bool {
        match self.workers.get_mut(&worker) {
            Some(found) if found.state == from => {
                (found.state, found.since) = (to, now);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Lets a worker go.
    fn leave(&mut self, worker: u64, to: State, reason: RestartReason, now: Instant) {
        if let Some(found) = self.workers.get_mut(&worker) {
            (found.state, found.since) = (to, now);
            found.reason.get_or_insert(reason);
        }
    }

    fn loaded(&mut self, worker: u64, now: Instant, actions: &mut Vec<Action>) {
        if !self.enter(worker, State::Loading, State::Ready, now) {
            return;
        }
        actions.push(Action::Open(worker));
        let Some(found) = self.workers.get_mut(&worker) else {
            return;
        };
        found.ready_at = Some(now);
        let place = found.place;
        // No old code answers beside the new one.
        let is_old = |other: &Worker| other.place == place || other.reason == Some(RestartReason::Reloaded);
        let replaced = self
            .workers
            .iter_mut()
            .filter(|(_, other)| other.state == State::Outgoing && is_old(other));
        for (&other, found) in replaced {
            (found.state, found.since) = (State::Retiring { patience: RETIRE }, now);
            actions.push(Action::Close(other));
        }
    }

    fn lost(&mut self, worker: u64, now: Instant, actions: &mut Vec<Action>) {
        let Some(found) = self.workers.get(&worker) else { return };
        match found.state {
            // It was told to go, and closes its connections in passing.
            State::Stopping | State::Dying => {}
            State::Starting | State::Loading | State::Ready | State::Outgoing | State::Retiring { .. } => {
                actions.push(Action::Close(worker));
                // Most likely the process is ending; if not, its time is short.
                self.leave(worker, State::Stopping, RestartReason::Exited, now);
            }
        }
    }

    fn idle(&mut self, worker: u64, now: Instant, actions: &mut Vec<Action>) {
        let Some(found) = self.workers.get(&worker) else { return };
        if matches!(found.state, State::Retiring { .. }) {
            actions.push(Action::Stop(worker));
            self.enter(worker, found.state, State::Stopping, now);
        }
    }

    fn measured(&mut self, worker: u64, bytes: u64, now: Instant, actions: &mut Vec<Action>) {
        let Some(limit) = self.bounds.memory else { return };
        let Some(found) = self.workers.get_mut(&worker) else {
            return;
        };
        let soft = limit / 100 * SOFT;
        if found.state == State::Ready && bytes >= soft {
            (found.state, found.since) = (State::Outgoing, now);
            found.reason = Some(RestartReason::Memory);
        }
        if found.state == State::Outgoing && bytes >= limit {
            actions.push(Action::Close(worker));
            self.leave(worker, State::Retiring { patience: RETIRE }, RestartReason::Memory, now);
        }
    }

    fn exited(&mut self, worker: u64, now: Instant) {
        let Some(found) = self.workers.remove(&worker) else {
            return;
        };
        let healthy = found
            .ready_at
            .is_some_and(|at| now.duration_since(at) >= backoff::HEALTHY);
        let meant = match found.reason {
            Some(RestartReason::Memory | RestartReason::Reloaded) => true,
            Some(_) | None => false,
        };
        if let Some(place) = self.places.get_mut(found.place)
            && !meant
        {
            place.failed(now, healthy, (self.random)());
        }
    }

    /// Those that serve go on until the first with the new code does; those that have not got so far have no use.
    fn renew(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for (&id, worker) in &mut self.workers {
            match worker.state {
                State::Starting | State::Loading => {
                    worker.state = State::Dying;
                    actions.push(Action::Signal(id, Signal::Kill));
                }
                State::Ready | State::Outgoing => worker.state = State::Outgoing,
                State::Retiring { .. } | State::Stopping | State::Dying => continue,
            }
            (worker.reason, worker.since) = (Some(RestartReason::Reloaded), now);
        }
        // What failed may be what was mended.
        self.places.fill(Retry::default());
    }

    fn host_down(&mut self, now: Instant) {
        let healthy = match self.host {
            Host::Up { since } => now.duration_since(since) >= backoff::HEALTHY,
            Host::Down | Host::Coming => false,
        };
        self.host = Host::Down;
        self.host_retry.failed(now, healthy, (self.random)());
        // They did nothing wrong.
        self.workers.clear();
    }

    fn shut_down(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.ends = true;
        for (&id, worker) in &mut self.workers {
            match worker.state {
                State::Starting | State::Loading => {
                    worker.state = State::Dying;
                    actions.push(Action::Signal(id, Signal::Kill));
                }
                State::Ready | State::Outgoing | State::Retiring { .. } => {
                    worker.state = State::Stopping;
                    actions.extend([Action::Close(id), Action::Stop(id)]);
                }
                State::Stopping | State::Dying => continue,
            }
            worker.since = now;
        }
    }

    /// Presses those whose time is over.
    fn urge(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for (&id, worker) in &mut self.workers {
            if worker.until().is_none_or(|until| now < until) {
                continue;
            }
            let signal = match worker.state {
                State::Starting => {
                    worker.reason.get_or_insert(RestartReason::Exited);
                    Signal::Kill
                }
                // A call hangs: where, the interpreter will say.
                State::Retiring { .. } => Signal::Abrt,
                State::Stopping => Signal::Term,
                State::Dying => Signal::Kill,
                State::Loading | State::Ready | State::Outgoing => continue,
            };
            actions.push(Action::Signal(id, signal));
            (worker.state, worker.since) = (State::Dying, now);
        }
    }

    /// Starts what is not there.
    fn fill(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.ends {
            return;
        }
        match self.host {
            Host::Down if self.host_retry.is_due(now) => {
                self.host = Host::Coming;
                self.host_retry.not_before = None;
                actions.push(Action::StartHost);
            }
            Host::Down | Host::Coming => {}
            Host::Up { .. } => {
                for place in 0..self.places.len() {
                    if self.places[place].is_due(now) {
                        self.places[place].not_before = None;
                        if self.wants(place) {
                            self.start(place, now, actions);
                        }
                    }
                }
            }
        }
    }

    /// Whether a place needs a worker. Those that are only to be replaced are so one after the other: for a while there
    /// are two where one was.
    fn wants(&self, place: usize) -> bool {
        let here = || self.workers.values().filter(|worker| worker.place == place);
        let coming = |worker: &Worker| matches!(worker.state, State::Starting | State::Loading);
        // One that failed is waited for: then it is known how long to wait before the next.
        let failed = |worker: &Worker| matches!(worker.reason, Some(RestartReason::Exited | RestartReason::Unloadable));
        if here().any(|worker| coming(worker) || worker.state == State::Ready || failed(worker)) {
            return false;
        }
        let replaced = here().any(|worker| worker.state == State::Outgoing);
        !replaced || !self.workers.values().any(coming)
    }

    fn is_vacant(&self, place: usize) -> bool {
        let mut workers = self.workers.values();
        !workers.any(|worker| worker.place == place)
    }

    fn start(&mut self, place: usize, now: Instant, actions: &mut Vec<Action>) {
        self.last += 1;
        let worker = Worker {
            place,
            state: State::Starting,
            since: now,
            ready_at: None,
            reason: None,
        };
        self.workers.insert(self.last, worker);
        actions.push(Action::Start {
            worker: self.last,
            place,
        });
    }
}

impl Worker {
    /// When its time in this state is over.
    fn until(&self) -> Option<Instant> {
        let patience = match self.state {
            State::Starting => START,
            State::Loading | State::Ready | State::Outgoing => return None,
            State::Retiring { patience } => patience,
            State::Stopping => STOP,
            State::Dying => KILL,
        };
        Some(self.since + patience)
    }
}

impl State {
    const fn label(self) -> WorkerState {
        match self {
            Self::Starting => WorkerState::Starting,
            Self::Loading => WorkerState::Loading,
            Self::Ready | Self::Outgoing => WorkerState::Ready,
            Self::Retiring { .. } | Self::Stopping | Self::Dying => WorkerState::Retiring,
        }
    }
}

#[cfg(test)]
mod tests;
