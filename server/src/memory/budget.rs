//! How many bytes everything that is kept may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A limit for bytes in one place, such as memory or a volume. Clones are handles to the same budget.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: usize,
    used: AtomicUsize,
}

/// Bytes taken from a budget, until dropped.
#[derive(Debug)]
pub struct Lease {
    bytes: usize,
    account: Arc<Account>,
}

/// Why a budget gave no lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} bytes do not fit: {used} of {limit} are in use")]
pub struct Exceeded {
    /// What was asked for.
    pub asked: usize,
    /// What was taken at that moment.
    pub used: usize,
    /// What there is altogether.
    pub limit: usize,
}

impl Exceeded {
    /// Whether it would not fit even if nothing else was there.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        self.asked > self.limit
    }
}

impl Budget {
    /// A budget of so many bytes, all of them free.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Account {
            limit,
            used: AtomicUsize::new(0),
        }))
    }

    /// Takes bytes.
    ///
    /// # Errors
    /// When they do not fit.
    pub fn lease(&self, bytes: usize) -> Result<Lease, Exceeded> {
        self.lease_leaving(bytes, 0)
    }

    /// Takes bytes if so many others stay free.
    ///
    /// # Errors
    /// When they would not.
    pub fn lease_leaving(&self, bytes: usize, reserve: usize) -> Result<Lease, Exceeded> {
        self.0.take(bytes, self.0.limit.saturating_sub(reserve))?;
        Ok(Lease {
            bytes,
            account: Arc::clone(&self.0),
        })
    }

    /// Takes bytes, also beyond the limit: they exist already, or cannot be done without.
    #[must_use]
    pub fn lease_anyway(&self, bytes: usize) -> Lease {
        self.0.used.fetch_add(bytes, Ordering::Relaxed);
        Lease {
            bytes,
            account: Arc::clone(&self.0),
        }
    }

    /// Bytes taken.
    #[must_use]
    pub fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Bytes there are, taken or not.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }
}

impl Account {
    fn take(&self, bytes: usize, limit: usize) -> Result<(), Exceeded> {
        let fits = |used: usize| used.checked_add(bytes).filter(|&total| total <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        taken.map(drop).map_err(|used| Exceeded {
            asked: bytes,
            used,
            limit,
        })
    }
}

impl Lease {
    /// Bytes taken.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more.
    ///
    /// # Errors
    /// When they do not fit; those taken before stay.
    pub fn add(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.account.take(bytes, self.account.limit)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Takes more, also beyond the limit.
    pub fn add_anyway(&mut self, bytes: usize) {
        self.account.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// Gives back what is more than so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let more = self.bytes.saturating_sub(bytes);
        if more > 0 {
            self.bytes -= more;
            self.account.used.fetch_sub(more, Ordering::Relaxed);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.account.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_until_something_is_given_back() {
        let budget = Budget::new(10);
        let first = budget.lease(6).expect("fits");
        let refused = budget.lease(5).expect_err("does not fit");
        assert_eq!(refused.to_string(), "5 bytes do not fit: 6 of 10 are in use");
        assert!(!refused.is_for_good());
        let second = budget.lease(4).expect("fits exactly");
        drop(first);
        assert!(budget.lease(6).is_ok());
        assert_eq!(budget.used(), second.bytes());
        assert!(budget.lease(11).expect_err("never fits").is_for_good());
    }

    #[test]
    fn what_exists_already_may_pass_the_limit_and_keeps_newcomers_out() {
        let budget = Budget::new(10);
        let large = budget.lease_anyway(100);
        assert!(budget.lease(0).is_err());
        drop(large);
        assert!(budget.lease(10).is_ok());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_lease_grows_and_shrinks() {
        let budget = Budget::new(10);
        let mut lease = budget.lease_anyway(0);
        lease.add(8).expect("fits");
        lease.add(3).expect_err("does not fit");
        lease.add_anyway(3);
        assert_eq!((lease.bytes(), budget.used()), (11, 11));
        lease.shrink_to(20);
        lease.shrink_to(4);
        assert_eq!((lease.bytes(), budget.used()), (4, 4));
        drop(lease);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn many_threads_never_take_more_than_there_is() {
        let budget = Budget::new(1000);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for bytes in 0..500 {
                        let lease = budget.lease(bytes);
                        assert!(budget.used() <= 1000);
                        drop(lease);
                    }
                });
            }
        });
        assert_eq!(budget.used(), 0);
    }
}
