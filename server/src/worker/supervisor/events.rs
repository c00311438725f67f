//! What is heard, as events of the fleet; what workers say of themselves is noted on the way.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::keeper::HostEnded;
use super::super::links::{self, Heard, Line};
use super::super::wire::{Listed, Loaded, WireError};
use super::super::{PythonError, lock};
use super::{Event, State, Supervisor};

impl Supervisor {
    pub(super) fn hear(&mut self, state: &mut State, heard: Heard) -> Option<Event> {
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
                if state.workers.contains_key(&worker) {
                    return Self::broken(state, worker, "it connected twice".to_owned());
                }
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
                lock(&self.shared.board).ended(worker, Instant::now());
                match error {
                    WireError::Closed => Some(Event::Lost(worker)),
                    error @ (WireError::Malformed(_) | WireError::Io(_)) => {
                        Self::broken(state, worker, crate::telemetry::chain(&error))
                    }
                }
            }
            Heard::SlotCame(worker, connection) => {
                drop(lock(&self.shared.floor).opened(worker, connection));
                None
            }
        }
    }

    pub(super) fn loaded(&mut self, state: &mut State, worker: u64, loaded: Loaded) -> Option<Event> {
        let Loaded {
            functions,
            versions,
            ignored,
            memory,
            sources,
        } = loaded;
        if let Some(follows) = &self.follows {
            follows.sources.add(sources);
        }
        let json_versions = serde_json::to_value(versions).unwrap_or_default();
        let place = state.fleet.place(worker);
        tracing::info!(
            worker = place,
            functions = functions.len(),
            memory,
            json.versions = %json_versions,
            "python_worker_ready"
        );
        if let Some(place) = place {
            lock(&self.shared.board).begin(worker, place);
        }
        match &state.listed {
            None => {
                if !ignored.is_empty() {
                    let advice = "these settings of the image are the server's business: set them in its configuration";
                    tracing::warn!(settings = ignored.join(", "), advice, "python_image_settings_ignored");
                }
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
            Some(listed) if *listed == functions => Some(Event::Loaded(worker)),
            Some(_) => {
                if let Some(follows) = &self.follows {
                    follows.tell(functions.clone());
                    state.listed = Some(functions);
                } else {
                    let advice = "modules should offer the same functions in every process: those of the first count";
                    tracing::warn!(worker = place, advice, "python_functions_differ");
                }
                Some(Event::Loaded(worker))
            }
        }
    }

    /// Says how the start went, if nobody did before. What fails in another container may be mended there, while this
    /// server stays: it ends nothing.
    pub(super) fn decide(&mut self, outcome: Result<Vec<Listed>, PythonError>) {
        if outcome.is_err() && self.keeper.is_none() {
            return;
        }
        if let Some(first) = self.first.take() {
            let _ = first.send(outcome);
        }
    }
}
