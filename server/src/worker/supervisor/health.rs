//! What modules say of their health: one that is not well in any worker is not well.

use super::{State, Supervisor};

impl Supervisor {
    pub(super) fn module_says(&self, state: &mut State, worker: u64, module: String, status: &str) {
        let ailing = state.ailing.entry(module).or_default();
        if status.eq_ignore_ascii_case("ok") {
            ailing.remove(&worker);
        } else {
            ailing.insert(worker);
        }
        self.show_health(state);
    }

    pub(super) fn show_health(&self, state: &State) {
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
