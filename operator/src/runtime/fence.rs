//! Whether this process may still write: not after the end of its lease, whatever it was doing in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// No end: there is no election.
const FOR_EVER: u64 = u64::MAX;

/// Stands in front of every write. The clock is looked at when a write is about to be sent, so a process that was stopped
/// for longer than its lease finds the fence closed however it wakes up. Clones are the same fence.
#[derive(Clone, Debug)]
pub struct Fence(Arc<State>);

#[derive(Debug)]
struct State {
    begin: Instant,
    /// Milliseconds after `begin` at which writing ends.
    end: AtomicU64,
}

/// A write was not sent, because another operator may lead by now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this operator does not lead any more, and writes nothing")]
pub struct Fenced;

impl Default for Fence {
    /// Always open: there is no election.
    fn default() -> Self {
        Self::new(FOR_EVER)
    }
}

impl Fence {
    /// Closed until somebody leads.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(0)
    }

    fn new(end: u64) -> Self {
        Self(Arc::new(State {
            begin: Instant::now(),
            end: AtomicU64::new(end),
        }))
    }

    /// Open until then.
    pub fn open_until(&self, end: Instant) {
        let time = end.saturating_duration_since(self.0.begin).as_millis();
        self.0
            .end
            .store(u64::try_from(time).unwrap_or(FOR_EVER), Ordering::SeqCst);
    }

    /// Closed from now on.
    pub fn close(&self) {
        self.0.end.store(0, Ordering::SeqCst);
    }

    /// To be asked right before a write.
    ///
    /// # Errors
    /// When it must not happen.
    pub fn pass(&self) -> Result<(), Fenced> {
        let end = self.0.end.load(Ordering::SeqCst);
        let is_open = end == FOR_EVER || self.0.begin.elapsed().as_millis() < u128::from(end);
        if is_open { Ok(()) } else { Err(Fenced) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_closes_by_itself() {
        let fence = Fence::closed();
        assert!(fence.pass().is_err());
        fence.open_until(Instant::now() + Duration::from_secs(100));
        assert!(fence.clone().pass().is_ok());
        fence.open_until(Instant::now());
        assert!(fence.pass().is_err(), "nobody has to close it");
        fence.open_until(Instant::now() + Duration::from_secs(100));
        fence.close();
        assert!(fence.pass().is_err());
    }

    #[test]
    fn without_an_election_it_is_open() {
        let fence = Fence::default();
        assert!(fence.pass().is_ok());
    }
}
