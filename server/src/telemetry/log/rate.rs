//! How often something may be said that anybody outside can cause.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So many lines a second; the next one admitted tells how many were not.
#[derive(Debug)]
pub struct RateLimit {
    per_second: u64,
    born: Instant,
    /// The second in which lines are counted, in the upper half, and how many there were in it.
    window: AtomicU64,
    suppressed: AtomicU64,
}

impl RateLimit {
    /// Admits so many a second.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: u64::from(per_second),
            born: Instant::now(),
            window: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether a line may be written now: how many were suppressed since the last one, or `None`.
    #[must_use]
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(self.born.elapsed())
    }

    fn admit_at(&self, age: Duration) -> Option<u64> {
        let second = age.as_secs() & u64::from(u32::MAX);
        let count = |window: u64| {
            if window >> 32 == second {
                window & u64::from(u32::MAX)
            } else {
                0
            }
        };
        let admitted = self
            .window
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
                let count = count(window);
                (count < self.per_second).then_some(second << 32 | (count + 1))
            });
        if admitted.is_ok() {
            Some(self.suppressed.swap(0, Ordering::Relaxed))
        } else {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_often_is_counted_and_told_later() {
        let limit = RateLimit::new(2);
        let at = |milliseconds| limit.admit_at(Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(10), at(20), at(999)], [Some(0), Some(0), None, None]);
        assert_eq!([at(1000), at(1001), at(1002)], [Some(2), Some(0), None]);
        assert_eq!(at(5000), Some(1));
    }
}
