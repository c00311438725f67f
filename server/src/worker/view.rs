//! What a server's health and metrics show of its workers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use super::lock;
use crate::telemetry::Metrics;

/// What a server's health and metrics show of its workers.
#[derive(Debug, Default)]
pub(super) struct View {
    /// How many workers are in each state.
    pub(super) states: BTreeMap<&'static str, usize>,
    /// Bytes by place.
    pub(super) memory: BTreeMap<usize, u64>,
    /// The place of each worker.
    pub(super) places: HashMap<u64, usize>,
}

/// Has the metrics follow it.
pub(super) fn show(metrics: &Metrics, view: &Arc<Mutex<View>>) {
    let (states, memory) = (Arc::clone(view), Arc::clone(view));
    metrics.show_workers(
        move || lock(&states).states.clone(),
        move || {
            lock(&memory)
                .memory
                .iter()
                .map(|(&place, &bytes)| (place, bytes))
                .collect()
        },
    );
}
