//! What all requests share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::data_source::{Rules, Store};
use crate::fault::Fault;
use crate::flight::Engine;
use crate::journal::Journal;
use crate::options::{Options, Variant};
use crate::sandbox::Dataset;

/// The whole sandbox, shared by its requests and by the handle that tests hold.
pub(crate) type Shared = Arc<State>;

pub(crate) struct State {
    pub(crate) options: Options,
    pub(crate) store: Mutex<Store>,
    pub(crate) faults: Mutex<Vec<Fault>>,
    pub(crate) workspaces: Mutex<BTreeMap<String, Vec<Dataset>>>,
    pub(crate) journal: Journal,
    pub(crate) engine: Engine,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            faults: Mutex::new(options.faults.clone()),
            options,
            store: Mutex::default(),
            workspaces: Mutex::default(),
            journal: Journal::default(),
            engine: Engine::default(),
        }
    }

    pub(crate) fn has(&self, variant: Variant) -> bool {
        self.options.variants.contains(&variant)
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            put_keeps_secrets: self.has(Variant::PutKeepsSecrets),
            type_without_url: self.has(Variant::TypeWithoutUrlAccepted),
        }
    }
}

/// Locks what is only ever held for a few instructions without panics; a poisoned lock is as good as new.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
