//! The host: how it comes, what it says, how it goes.

use std::sync::Arc;

use tokio::time::{Instant, sleep};

use super::super::ending::Ending;
use super::super::keeper::Keeper;
use super::super::links::{self, Line};
use super::super::wire::{Connection, FromHost, HostGreeting, PROTOCOL, Started, ToHost};
use super::super::{PythonError, interpreter, lock};
use super::{Event, FAREWELL, FIRST_REMINDER, State, Supervisor};
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
        if let Some(message) = why_refused(protocol, &python, state.host.is_some()) {
            tracing::error!(python, reason = message, "python_host_refused");
            self.decide(Err(PythonError::Unsupported { python }));
            state.tasks.spawn(async move {
                // Who does not wait for the reason learns nothing.
                let _ = connection.send(&ToHost::Refused { message: &message }, &[]).await;
            });
            return None;
        }
        tracing::info!(python, cpus, memory, "python_host_ready");
        self.sizes.host(cpus, memory);
        if let Some(advice) = self.sizes.doubt(memory) {
            tracing::warn!(advice, "python_memory_does_not_add_up");
        }
        state.fleet.resize(self.sizes.bounds());
        if self.keeper.is_none() {
            state.hosts += 1;
        }
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
        let Some(process) = self.keeper.as_ref().map(Keeper::process) else {
            return;
        };
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
        state.remind = Instant::now() + FIRST_REMINDER;
        let workers: Vec<u64> = lock(&self.view).places.keys().copied().collect();
        for worker in workers {
            self.metrics.worker_restarted(RestartReason::HostLost);
            self.gone(state, worker, &Ending::HostLost);
        }
        Event::HostDown
    }
}

/// Why a process cannot be the host, in words that it prints.
fn why_refused(protocol: u32, python: &str, taken: bool) -> Option<String> {
    if protocol != PROTOCOL {
        let advice = "take the host from this server's version, with `flexconnect-server python-host`";
        return Some(format!(
            "it speaks version {protocol} of the protocol and the server {PROTOCOL}: {advice}"
        ));
    }
    if !interpreter::is_supported(python) {
        return Some(format!("functions run on Python 3.10 to 3.14, and this is {python}"));
    }
    taken.then(|| "the server has one already".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_why_it_is_none() {
        assert_eq!(why_refused(PROTOCOL, "3.12.1", false), None);
        let why = |protocol, python, taken| why_refused(protocol, python, taken).unwrap();
        assert!(why(PROTOCOL + 1, "3.12.1", false).contains("flexconnect-server python-host"));
        assert!(why(PROTOCOL, "3.9.0", false).contains("this is 3.9.0"));
        assert!(why(PROTOCOL, "3.12.1", true).contains("one already"));
    }
}
