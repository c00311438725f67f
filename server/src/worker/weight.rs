//! Which functions compute: their calls hold the interpreter of a worker, and every other call in it waits for turns.

use std::sync::atomic::{AtomicU64, Ordering};

/// Microseconds of processor time from which on a call is heavy: as many turns of the interpreter's lock.
const HEAVY: u64 = 5_000;

/// Of the mean of calls, the last one makes one part in so many.
const PART: u64 = 4;

/// Processor time that a call of one function takes, in the mean of the last ones.
#[derive(Debug, Default)]
pub(super) struct Weight(AtomicU64);

impl Weight {
    /// Takes note of a call. Of two at the same time one may be forgotten.
    pub(super) fn note(&self, microseconds: u64) {
        let mean = self.0.load(Ordering::Relaxed);
        // Most functions are light for good.
        if mean | microseconds != 0 {
            let rest = mean - mean / PART;
            self.0
                .store(rest.saturating_add(microseconds / PART), Ordering::Relaxed);
        }
    }

    /// Whether its calls are in the way of others.
    pub(super) fn is_heavy(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= HEAVY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_what_its_last_calls_were() {
        let weight = Weight::default();
        weight.note(1_000_000);
        assert!(weight.is_heavy(), "one call of a second counts");
        for _ in 0..30 {
            weight.note(0);
        }
        assert!(!weight.is_heavy());
        for _ in 0..100 {
            weight.note(HEAVY - 1_000);
        }
        assert!(!weight.is_heavy());
        for _ in 0..100 {
            weight.note(HEAVY + 1_000);
        }
        assert!(weight.is_heavy());
        weight.note(u64::MAX);
        weight.note(u64::MAX);
        assert!(weight.is_heavy());
    }
}
