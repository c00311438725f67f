//! How many bytes all tasks together may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit that is checked when something new begins. What has begun may grow beyond it.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limit: usize,
    used: Arc<AtomicUsize>,
}

/// Bytes taken from a budget, until dropped.
#[derive(Debug)]
pub(super) struct Lease {
    bytes: usize,
    used: Arc<AtomicUsize>,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: Arc::default(),
        }
    }

    /// Takes bytes; `None` when they do not fit.
    pub(super) fn lease(&self, bytes: usize) -> Option<Lease> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&total| total <= self.limit)
            })
            .ok()
            .map(|_| Lease {
                bytes,
                used: Arc::clone(&self.used),
            })
    }
}

impl Lease {
    /// Takes more bytes, also beyond the limit: they exist already.
    pub(super) fn grow(&self, bytes: usize) -> Self {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Self {
            bytes,
            used: Arc::clone(&self.used),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_something_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.lease(6).expect("fits");
        assert!(budget.lease(5).is_none());
        let second = budget.lease(4).expect("fits exactly");
        drop(first);
        assert!(budget.lease(6).is_some());
        drop(second);
    }

    #[test]
    fn what_exists_already_may_pass_the_limit_and_keeps_newcomers_out() {
        let budget = Budget::new(10);
        let lease = budget.lease(1).expect("fits");
        let grown = lease.grow(100);
        assert!(budget.lease(0).is_none());
        drop(lease);
        assert!(budget.lease(0).is_none());
        drop(grown);
        assert!(budget.lease(10).is_some());
    }
}
