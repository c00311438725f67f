//! Says the same thing seldom: an outage of minutes must not fill the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lets one through in a while, and counts the others.
#[derive(Debug)]
pub struct Quiet {
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    left_out: u64,
}

impl Quiet {
    /// One in this time.
    #[must_use]
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            state: Mutex::default(),
        }
    }

    /// Whether it is time to say it again, and how often it was not said since the last time.
    pub fn ask(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| last.elapsed() < self.interval) {
            state.left_out += 1;
            return None;
        }
        state.last = Some(Instant::now());
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let seldom = Quiet::new(Duration::from_secs(1000));
        assert_eq!((seldom.ask(), seldom.ask(), seldom.ask()), (Some(0), None, None));
        let always = Quiet::new(Duration::ZERO);
        assert_eq!((always.ask(), always.ask()), (Some(0), Some(0)));
        let mut state = seldom.state.lock().unwrap();
        state.last = None;
        drop(state);
        assert_eq!(seldom.ask(), Some(2));
    }
}
