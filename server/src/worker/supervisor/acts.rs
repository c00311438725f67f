//! What the fleet orders, and what calls ask for: said to host and workers.

use tokio::time::Instant;

use super::super::floor::Grow;
use super::super::lock;
use super::super::shared::Order;
use super::super::wire::{Signal, ToHost, ToWorker};
use super::{Action, Event, State, Supervisor};

impl Supervisor {
    pub(super) fn act(&mut self, state: &mut State, action: Action) -> Option<Event> {
        match action {
            Action::StartHost => {
                // Another container's comes by itself.
                if let Some(keeper) = &self.keeper {
                    state.hosts += 1;
                    keeper.start_one();
                }
            }
            Action::Start { worker, place } => {
                let key = format!("{:032x}", rand::random::<u128>());
                lock(&self.shared.keys).insert(worker, key.clone());
                lock(&self.view).places.insert(worker, place);
                self.shared.endings.begin(worker);
                state.tell_host(&ToHost::Start {
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

    pub(super) fn obey(&self, state: &mut State, order: Order) -> Option<Event> {
        match order {
            Order::Grow(Grow { worker, count }) => state.tell(worker, ToWorker::Slots { count }),
            Order::Cancel { worker, task } => {
                let task = task.to_string();
                state.tell(worker, ToWorker::Cancel { task });
            }
            Order::Drop { worker, stream } => state.tell(worker, ToWorker::Drop { stream }),
            Order::Hung { worker } => return Some(Event::Hung(worker)),
            Order::Idle { worker } => return Some(Event::Idle(worker)),
            Order::Measure { waiting } => {
                for worker in lock(&self.shared.board).ask(waiting, Instant::now()) {
                    state.tell(worker, ToWorker::Metrics);
                }
            }
            Order::Broken { worker, why } => return Self::broken(state, worker, why),
            Order::Renew => {
                tracing::info!("python_modules_changed");
                return Some(Event::Renew);
            }
        }
        None
    }

    /// What a worker says that breaks the protocol ends it.
    pub(super) fn broken(state: &mut State, worker: u64, why: String) -> Option<Event> {
        if state.fleet.place(worker).is_none() || state.broken.contains_key(&worker) {
            return None;
        }
        tracing::error!(worker, why, "python_worker_broke_protocol");
        state.broken.insert(worker, why);
        state.signal(worker, Signal::Kill);
        Some(Event::Lost(worker))
    }
}

impl State {
    pub(super) fn tell(&self, worker: u64, said: ToWorker) {
        if let Some(line) = self.workers.get(&worker) {
            line.say(said);
        }
    }

    pub(super) fn tell_host(&self, said: &ToHost<'_>) {
        if let (Some((_, line)), Ok(said)) = (&self.host, serde_json::to_value(said)) {
            line.say(said);
        }
    }

    pub(super) fn signal(&self, worker: u64, signal: Signal) {
        self.tell_host(&ToHost::Kill { worker, signal });
    }
}
