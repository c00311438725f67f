//! The kinds of tasks there are: each has a name, bounds, and a line of its own to wait in.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::{KindLimits, Limits};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Kind as KindMetrics;

/// Kinds that have a line of their own. More than this no server has, unless somebody makes up names; then all further
/// ones share a line.
const MOST: usize = 1024;

/// One kind of task.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: Box<str>,
    pub(super) bounds: Bounds,
    /// How long a task may take unless it says otherwise itself.
    pub(super) deadline: Duration,
    pub(super) metrics: KindMetrics,
}

/// What the queue has to know of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Which line its tasks wait in.
    pub(super) line: usize,
    /// Tasks that run at a time.
    pub(super) running: usize,
    /// Tasks that may wait.
    pub(super) waiting: usize,
}

/// All kinds that were seen.
pub(super) struct Kinds {
    known: RwLock<HashMap<Box<str>, Arc<Kind>>>,
    threads: usize,
    deadline: Duration,
    limits: HashMap<String, KindLimits>,
    metrics: Metrics,
}

impl Kinds {
    pub(super) fn new(limits: &Limits, metrics: Metrics) -> Self {
        Self {
            known: RwLock::default(),
            threads: limits.threads.max(1),
            deadline: limits.call_deadline,
            limits: limits.kinds.clone(),
            metrics,
        }
    }

    /// The kind of this name.
    pub(super) fn get(&self, name: &str) -> Arc<Kind> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known.get(name) {
            return Arc::clone(kind);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known.get(name) {
            return Arc::clone(kind);
        }
        let kind = Arc::new(self.kind(name, known.len().min(MOST)));
        if known.len() < MOST {
            known.insert(name.into(), Arc::clone(&kind));
        }
        kind
    }

    fn kind(&self, name: &str, line: usize) -> Kind {
        let KindLimits {
            threads,
            queue,
            call_deadline,
        } = self.limits.get(&name.to_lowercase()).copied().unwrap_or_default();
        Kind {
            name: name.into(),
            bounds: Bounds {
                line,
                running: threads.unwrap_or(self.threads).max(1),
                // The bound of all kinds together holds in any case.
                waiting: queue.unwrap_or(usize::MAX),
            },
            deadline: call_deadline.unwrap_or(self.deadline),
            metrics: self.metrics.kind(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_kind_with_the_limits_it_was_given() {
        let slow = KindLimits {
            threads: Some(2),
            queue: None,
            call_deadline: Some(Duration::from_secs(1)),
        };
        let limits = Limits {
            kinds: HashMap::from([("slow".to_owned(), slow)]),
            ..Limits::default()
        };
        let kinds = Kinds::new(&limits, Metrics::new());
        let (slow, other) = (kinds.get("Slow"), kinds.get("other"));
        assert!(Arc::ptr_eq(&slow, &kinds.get("Slow")));
        assert_ne!(slow.bounds.line, other.bounds.line);
        assert_eq!(
            (slow.bounds.running, slow.bounds.waiting, slow.deadline),
            (2, usize::MAX, Duration::from_secs(1))
        );
        assert_eq!(
            (other.bounds.running, other.deadline),
            (limits.threads, limits.call_deadline)
        );
    }

    #[test]
    fn names_without_end_do_not_fill_memory() {
        let kinds = Kinds::new(&Limits::default(), Metrics::new());
        let last = (0..3 * MOST).map(|n| kinds.get(&n.to_string())).last().expect("some");
        assert_eq!((last.bounds.line, &*last.name), (MOST, "3071"));
        assert_eq!(kinds.known.read().expect("not poisoned").len(), MOST);
    }
}
