//! How long to wait after a failure: longer each time, and never the same for all.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::registration::Class;

/// The longest time without a look at an object. Secrets are not watched: a changed one is seen after this at the latest.
pub const RESYNC: Duration = Duration::from_mins(1);

/// The failures of each object. Entries go when their object succeeds, or is gone.
#[derive(Debug)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
    pace: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::paced(1.0)
    }
}

impl Backoff {
    /// One whose waits are multiplied by `pace`.
    #[must_use]
    pub fn paced(pace: f64) -> Self {
        Self {
            failures: Mutex::default(),
            pace,
        }
    }

    /// Counts a failure, and says how long to wait before the next attempt.
    pub fn failed(&self, object: &str, class: Class) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry(object.to_owned()).or_default();
        *count = count.saturating_add(1);
        delay(class, *count, rand::random()).mul_f64(self.pace)
    }

    /// Forgets the failures of an object.
    pub fn succeeded(&self, object: &str) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(object);
    }

    /// How many failures in a row an object has behind it.
    #[must_use]
    pub fn failures(&self, object: &str) -> u32 {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(object).copied().unwrap_or(0)
    }

    /// How many objects have a failure behind them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether no object has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The time until the next look at an object that is as it shall be: spread, so that objects do not come all at once.
#[must_use]
pub fn resync() -> Duration {
    RESYNC.mul_f64(0.75 + 0.25 * rand::random::<f64>())
}

/// The wait after the given number of failures in a row. `jitter` is from 0 to 1.
fn delay(class: Class, failures: u32, jitter: f64) -> Duration {
    let first = match class {
        Class::Transient => Duration::from_secs(1),
        Class::Blocked => Duration::from_secs(5),
        Class::Terminal => RESYNC,
    };
    let doublings = failures.saturating_sub(1).min(6);
    (first * 2_u32.pow(doublings))
        .min(RESYNC)
        .mul_f64(0.75 + 0.25 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_time_of_a_resync() {
        let mut before = Duration::ZERO;
        for failures in 1..=6 {
            let now = delay(Class::Transient, failures, 0.5);
            assert!(now > before, "{now:?} after {before:?}");
            before = now;
        }
        for class in [Class::Transient, Class::Blocked, Class::Terminal] {
            assert!(delay(class, u32::MAX, 1.0) <= RESYNC);
            assert!(delay(class, 1, 0.0) >= Duration::from_millis(750));
        }
    }

    #[test]
    fn success_starts_again() {
        let backoff = Backoff::default();
        for _ in 0..10 {
            backoff.failed("a", Class::Transient);
        }
        assert!(backoff.failed("a", Class::Transient) > Duration::from_secs(10));
        assert_eq!((backoff.failures("a"), backoff.len()), (11, 1));
        backoff.succeeded("a");
        assert!(backoff.is_empty());
        assert!(backoff.failed("a", Class::Transient) <= Duration::from_secs(1));
        assert!(backoff.failed("b", Class::Transient) <= Duration::from_secs(1));
    }
}
