//! Health that functions and services report of themselves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Modules that one process may have. It is programs that name them, so this only stops one that does so in a loop.
const MAX_MODULES: usize = 1000;

/// The health of all modules, by their names. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Modules(Arc<Mutex<BTreeMap<String, bool>>>);

impl Modules {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, name: &str, healthy: bool) {
        let mut modules = self.lock();
        if let Some(module) = modules.get_mut(name) {
            *module = healthy;
        } else if modules.len() < MAX_MODULES {
            modules.insert(name.to_owned(), healthy);
        }
    }

    /// A module that is not healthy.
    pub(super) fn unhealthy(&self) -> Option<String> {
        let modules = self.lock();
        modules
            .iter()
            .find(|(_, healthy)| !**healthy)
            .map(|(name, _)| name.clone())
    }

    /// Whether a module is not healthy.
    pub(super) fn is_unhealthy(&self, name: &str) -> bool {
        self.lock().get(name) == Some(&false)
    }

    /// All modules, and whether they are healthy.
    pub(super) fn all(&self) -> BTreeMap<String, bool> {
        self.lock().clone()
    }
}

/// The health of one module of a service, as it reports it. While any is not well, `/live` answers 500, which has
/// Kubernetes restart the container; `/ready` and calls are not affected, except by the module `server`.
#[derive(Clone, Debug)]
pub struct HealthModule {
    name: Arc<str>,
    modules: Modules,
}

impl HealthModule {
    pub(super) fn new(name: &str, modules: Modules) -> Self {
        Self {
            name: name.into(),
            modules,
        }
    }

    /// All is well.
    pub fn ok(&self) {
        self.modules.set(&self.name, true);
    }

    /// It does not work, and only a restart will help.
    pub fn not_ok(&self) {
        self.modules.set(&self.name, false);
    }
}
