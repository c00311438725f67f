//! Signs of life: a part of the server that turns its wheel says so, and is noticed when it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The pulse of one part. Clones are the same pulse.
#[derive(Clone, Debug)]
pub struct Pulse {
    name: &'static str,
    born: Instant,
    /// Milliseconds from `born` to the last beat.
    last: Arc<AtomicU64>,
}

impl Pulse {
    /// How often a part should beat.
    pub const INTERVAL: Duration = Duration::from_secs(1);

    /// How old the last beat of a living part may be. Far more than a busy machine needs, far less than a user waits.
    pub const STUCK: Duration = Duration::from_secs(15);

    /// A pulse that beats now for the first time.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            born: Instant::now(),
            last: Arc::default(),
        }
    }

    /// A pulse whose first and last beat was so long ago.
    #[cfg(test)]
    pub(super) fn silent_for(name: &'static str, duration: Duration) -> Self {
        Self {
            born: Instant::now().checked_sub(duration).unwrap(),
            ..Self::new(name)
        }
    }

    /// Says that the part lives.
    pub fn beat(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// The part's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Time since the last beat.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age_at(self.born.elapsed())
    }

    fn age_at(&self, elapsed: Duration) -> Duration {
        elapsed.saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// Whether the part is stuck.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.age() > Self::STUCK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_counts_from_the_last_beat() {
        let pulse = Pulse::new("part");
        assert_eq!(pulse.age_at(Duration::from_secs(20)), Duration::from_secs(20));
        pulse.last.store(15_000, Ordering::Relaxed);
        assert_eq!(pulse.age_at(Duration::from_secs(20)), Duration::from_secs(5));
        assert_eq!(pulse.age_at(Duration::from_secs(10)), Duration::ZERO);
        pulse.beat();
        assert!(!pulse.is_stuck());
    }
}
