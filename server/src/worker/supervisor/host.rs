//! The host: how it comes, what it says, how it goes.

use std::sync::Arc;

use tokio::time::sleep;

use super::super::ending::Ending;
use super::super::links::{self, Line};
use super::super::wire::{Connection, FromHost, HostGreeting, PROTOCOL, Started};
use super::super::{PythonError, interpreter, lock};
use super::{Event, FAREWELL, State, Supervisor};
use crate::telemetry::metrics::RestartReason;

impl Supervisor {
    pub(super) fn host_came(
        &mut self,
        state: &mut State,
        greeting: HostGreeting,
        connection: Connection,
    ) -> Option<Event> {
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

    pub(super) fn host_says(&mut self, state: &mut State, said: FromHost) -> Option<Event> {
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

    /// Kills a host whose connection is closed if it does not end by itself.
    pub(super) fn see_off(&self, state: &mut State) {
        let process = self.keeper.process();
        let id = process.id();
        state.tasks.spawn(async move {
            sleep(FAREWELL).await;
            if process.id() == id {
                process.kill();
            }
        });
    }

    pub(super) fn host_lost(&mut self, state: &mut State, number: u64) -> Event {
        state.host = None;
        state.lost = number;
        let workers: Vec<u64> = lock(&self.view).places.keys().copied().collect();
        for worker in workers {
            self.metrics.worker_restarted(RestartReason::HostLost);
            self.gone(state, worker, &Ending::HostLost);
        }
        Event::HostDown
    }
}
