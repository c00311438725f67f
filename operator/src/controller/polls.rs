//! When GoodData is looked at although nothing changed here: seldom, and not for all objects at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The next look at each data source that is as it shall be.
#[derive(Debug)]
pub(super) struct Polls {
    interval: Duration,
    due: Mutex<HashMap<String, Instant>>,
}

impl Polls {
    /// A look in at most this time, and in at least three quarters of it.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            due: Mutex::default(),
        }
    }

    /// Whether it is time to look. What was not seen yet has its turn some time within the interval: after a restart
    /// nobody asks about everything at once.
    pub(super) fn is_due(&self, source: &str) -> bool {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let first = || now + self.interval.mul_f64(rand::random());
        *due.entry(source.to_owned()).or_insert_with(first) <= now
    }

    /// The data source was looked at, and is as it shall be.
    pub(super) fn looked(&self, source: &str) {
        let now = Instant::now();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of objects that are gone are not asked about any more.
        let longest = self.interval * 2;
        due.retain(|_, time| now.saturating_duration_since(*time) <= longest);
        due.insert(
            source.to_owned(),
            now + self.interval.mul_f64(0.75 + 0.25 * rand::random::<f64>()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_at_waits_for_its_next_turn() {
        let polls = Polls::new(Duration::from_secs(1000));
        polls.looked("a");
        assert!(!polls.is_due("a"));
        let due = *polls.due.lock().unwrap().get("a").unwrap();
        let wait = due - Instant::now();
        assert!(
            wait > Duration::from_secs(740) && wait <= Duration::from_secs(1000),
            "{wait:?}"
        );
        polls.due.lock().unwrap().insert("a".to_owned(), Instant::now());
        assert!(polls.is_due("a"));
    }

    #[test]
    fn without_an_interval_it_is_always_time() {
        let polls = Polls::new(Duration::ZERO);
        assert!(polls.is_due("a"));
        polls.looked("a");
        assert!(polls.is_due("a"));
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let polls = Polls::new(Duration::from_millis(1));
        polls.looked("gone");
        let long_ago = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        polls.due.lock().unwrap().insert("gone".to_owned(), long_ago);
        polls.looked("a");
        assert!(!polls.due.lock().unwrap().contains_key("gone"));
    }
}
