//! Does what the fleet says, and tells it what happens: the one place that speaks with host and workers.

mod acts;
mod ends;
mod events;
mod health;
mod host;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::PythonError;
use super::fleet::{Action, Event, Fleet};
use super::keeper::Keeper;
use super::links::{Heard, Line};
use super::lock;
use super::shared::{Order, Shared};
use super::size::Sizes;
use super::sources::Follows;
use super::view::View;
use super::wire::{Listed, ToWorker};
use crate::admin::Health;
use crate::telemetry::Metrics;

/// How long workers, and then the host, may take to end with the server.
const FAREWELL: Duration = Duration::from_secs(12);

/// After how long it is said that no host has come, and how often it is said again.
const FIRST_REMINDER: Duration = Duration::from_secs(10);
const REMINDER: Duration = Duration::from_mins(1);

pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) view: Arc<Mutex<View>>,
    /// Starts the host; `None` where another container does.
    pub(super) keeper: Option<Keeper>,
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
    /// Where modules may change.
    pub(super) follows: Option<Follows>,
}

struct State {
    fleet: Fleet,
    host: Option<(u64, Line<Value>)>,
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
    /// When to say that no host is there.
    remind: Instant,
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
            remind: Instant::now() + FIRST_REMINDER,
            tasks: JoinSet::new(),
        };
        self.feed(&mut state, Event::Tick);
        loop {
            let wake = state.fleet.wake();
            let event = tokio::select! {
                biased;
                _ = &mut self.ends => break,
                Some(heard) = self.heard.recv() => self.hear(&mut state, heard),
                Some(order) = self.orders.recv() => self.obey(&mut state, order),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Some(Event::Tick),
                () = sleep_until(state.remind), if self.keeper.is_none() && state.host.is_none() => {
                    state.remind = Instant::now() + REMINDER;
                    let advice = "start the Python host in its container, with the socket that python.socket says";
                    tracing::warn!(advice, "python_host_awaited");
                    None
                }
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
        let Some(process) = self.keeper.as_ref().map(Keeper::process) else {
            return;
        };
        while process.id().is_some() {
            tokio::select! {
                heard = self.heard.recv() => if let Some(Heard::HostEnded(_)) = heard {
                    return;
                },
                () = sleep_until(until) => return process.kill(),
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
}
