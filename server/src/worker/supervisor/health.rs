//! What modules say of their health: one that is not well in any worker is not well.
//!
//! Only a restart helps a module, so whoever can be restarted for it is told: this server by its `/live`, or the host by
//! the probe of its own container.

use super::super::wire::ToHost;
use super::{State, Supervisor};

/// Modules of which something is known. It is programs that name them, so this only stops one that does so in a loop.
const MOST_MODULES: usize = 1_000;

impl Supervisor {
    pub(super) fn module_says(&self, state: &mut State, worker: u64, module: String, status: &str) {
        if state.ailing.len() >= MOST_MODULES && !state.ailing.contains_key(&module) {
            return;
        }
        let ailing = state.ailing.entry(module).or_default();
        if status.eq_ignore_ascii_case("ok") {
            ailing.remove(&worker);
        } else {
            ailing.insert(worker);
        }
        self.show_health(state);
    }

    pub(super) fn show_health(&self, state: &State) {
        if self.keeper.is_none() {
            let ailing = state.ailing.iter().filter(|(_, workers)| !workers.is_empty());
            let ailing = ailing.map(|(module, _)| module.as_str()).collect();
            state.tell_host(&ToHost::Health { ailing });
            return;
        }
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
