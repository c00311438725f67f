//! What `/live` and `/ready` say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::modules::{HealthModule, Modules};
use super::pulse::Pulse;
use crate::drain::Phase;

/// The module that the original sets itself: it speaks for the whole server.
const SERVER: &str = "server";

/// The health of the server: its phase, the pulses of its parts, and what modules report.
#[derive(Clone, Debug)]
pub struct Health {
    phase: watch::Receiver<Phase>,
    pulses: Vec<Pulse>,
    modules: Modules,
    /// Whether there should be worker processes that take calls, and is none.
    lacks_workers: Arc<AtomicBool>,
    /// How many worker processes are in each state.
    workers: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

impl Health {
    /// Health by the phase and by these parts, all of which must live.
    #[must_use]
    pub fn new(phase: watch::Receiver<Phase>, pulses: Vec<Pulse>) -> Self {
        Self {
            phase,
            pulses,
            modules: Modules::default(),
            lacks_workers: Arc::default(),
            workers: Arc::default(),
        }
    }

    /// A module that reports its own health from its first word on.
    #[must_use]
    pub fn module(&self, name: &str) -> HealthModule {
        HealthModule::new(name, self.modules.clone())
    }

    /// Says whether a worker process takes calls, where functions need one, and how many are in each state.
    pub(crate) fn set_workers(&self, up: bool, states: BTreeMap<&'static str, usize>) {
        self.lacks_workers.store(!up, Ordering::Release);
        *self.workers.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    /// How many worker processes are in each state; empty where functions need none.
    #[must_use]
    pub fn workers(&self) -> BTreeMap<&'static str, usize> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every part lives and every module is well. A server that starts or drains is alive.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ailing().is_none()
    }

    /// Whether new calls should come here: functions are loaded, the parts live, and the end has not begun.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        match self.phase() {
            Phase::Serving => {
                let lacks_workers = self.lacks_workers.load(Ordering::Acquire);
                self.stuck().is_none() && !self.modules.is_unhealthy(SERVER) && !lacks_workers
            }
            Phase::Starting | Phase::LameDuck | Phase::Closing | Phase::Stopped => false,
        }
    }

    /// The phase that the server is in.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// The name of a part that does not live, or of a module that is not well.
    #[must_use]
    pub fn ailing(&self) -> Option<String> {
        self.stuck().map(str::to_owned).or_else(|| self.modules.unhealthy())
    }

    /// All modules that reported, and whether they are well.
    #[must_use]
    pub fn modules(&self) -> BTreeMap<String, bool> {
        self.modules.all()
    }

    /// A part that does not live.
    fn stuck(&self) -> Option<&'static str> {
        self.pulses.iter().find(|pulse| pulse.is_stuck()).map(Pulse::name)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn health(phase: Phase, pulses: Vec<Pulse>) -> Health {
        Health::new(watch::channel(phase).1, pulses)
    }

    #[rstest]
    #[case(Phase::Starting, false)]
    #[case(Phase::Serving, true)]
    #[case(Phase::LameDuck, false)]
    #[case(Phase::Closing, false)]
    #[case(Phase::Stopped, false)]
    fn readiness_follows_the_phase(#[case] phase: Phase, #[case] ready: bool) {
        let health = health(phase, vec![Pulse::new("part")]);
        assert_eq!((health.is_live(), health.is_ready()), (true, ready));
    }

    #[test]
    fn a_part_that_does_not_beat_is_found() {
        let dead = Pulse::silent_for("dead", Pulse::STUCK * 2);
        let health = health(Phase::Serving, vec![Pulse::new("living"), dead]);
        assert_eq!((health.is_live(), health.is_ready()), (false, false));
        assert_eq!(health.ailing().as_deref(), Some("dead"));
    }

    #[test]
    fn without_a_worker_nothing_is_ready() {
        let health = health(Phase::Serving, vec![]);
        health.set_workers(false, BTreeMap::new());
        assert_eq!((health.is_live(), health.is_ready()), (true, false));
        health.set_workers(true, BTreeMap::from([("ready", 1)]));
        assert!(health.is_ready());
    }

    #[rstest]
    #[case::of_a_service("database", true)]
    #[case::the_server_itself("server", false)]
    fn a_module_that_is_not_well_ends_the_process_by_and_by(#[case] name: &str, #[case] ready: bool) {
        let health = health(Phase::Serving, vec![]);
        let module = health.module(name);
        assert!(
            health.is_live() && health.modules().is_empty(),
            "nothing is reported yet"
        );
        module.not_ok();
        assert_eq!((health.is_live(), health.is_ready()), (false, ready));
        assert_eq!(health.ailing().as_deref(), Some(name));
        module.ok();
        assert_eq!((health.is_live(), health.is_ready()), (true, true));
    }
}
