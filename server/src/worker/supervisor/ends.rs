//! Workers that are no more: why, and who has to be told.

use tokio::time::Instant;

use super::super::ending::Ending;
use super::super::wire::Ended;
use super::super::{PythonError, lock};
use super::{Event, State, Supervisor};
use crate::telemetry::metrics::RestartReason;

impl Supervisor {
    pub(super) fn exited(&mut self, state: &mut State, ended: &Ended) -> Event {
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
    pub(super) fn gone(&mut self, state: &mut State, worker: u64, ending: &Ending) {
        self.shared.endings.tell(worker, ending);
        lock(&self.shared.board).died(worker, Instant::now());
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
}
