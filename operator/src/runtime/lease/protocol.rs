//! Who leads, as client-go decides it. Pure.
//!
//! The times in a Lease were written by somebody else's clock, and are never compared with ours: a holder counts as gone
//! when the Lease has not changed for its whole duration, measured here, from when the last change was seen.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// The times of an election, each shorter than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// After this long without a renewal, somebody else may lead.
    pub lease: Duration,
    /// After this long without one, the leader stops. The difference is for writes that are on their way.
    pub renew: Duration,
    /// How often a leader renews.
    pub retry: Duration,
    /// How often a candidate looks. It costs one small read.
    pub look: Duration,
}

impl Terms {
    /// The usual proportions: 10 s give 7 s, 2 s and 1 s.
    #[must_use]
    pub fn of(lease: Duration) -> Self {
        Self {
            lease,
            renew: lease.mul_f64(0.7),
            retry: lease.mul_f64(0.2),
            look: lease.mul_f64(0.1),
        }
    }

    /// How long one attempt to renew may take: a single slow answer must not cost the lease.
    #[must_use]
    pub(super) fn attempt(self) -> Duration {
        self.renew / 3
    }
}

/// What a candidate does next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Claim {
    /// Write itself into the Lease as it was seen.
    Take(LeaseSpec),
    /// Somebody leads: look again after this.
    Wait(Duration),
}

/// Somebody who would lead, and what it saw of the Lease.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    identity: String,
    terms: Terms,
    seen: Option<(LeaseSpec, Instant)>,
}

impl Candidate {
    /// One that has seen nothing.
    #[must_use]
    pub(super) fn new(identity: &str, terms: Terms) -> Self {
        Self {
            identity: identity.to_owned(),
            terms,
            seen: None,
        }
    }

    /// Decides about the Lease as it is; `None`: there is none.
    pub(super) fn decide(&mut self, lease: Option<&LeaseSpec>, now: Instant, wall: Timestamp) -> Claim {
        let Some(holder) = lease.and_then(holder) else {
            return Claim::Take(held(&self.identity, self.terms, lease, wall));
        };
        if holder == self.identity {
            // Ours, by a write whose answer was lost.
            return Claim::Take(held(&self.identity, self.terms, lease, wall));
        }
        let since = match (&self.seen, lease) {
            (Some((seen, since)), Some(lease)) if seen == lease => *since,
            (_, lease) => {
                self.seen = lease.map(|lease| (lease.clone(), now));
                now
            }
        };
        let left = duration(lease, self.terms).saturating_sub(now.saturating_duration_since(since));
        if left.is_zero() {
            Claim::Take(held(&self.identity, self.terms, lease, wall))
        } else {
            Claim::Wait(left.min(self.terms.look))
        }
    }
}

/// The Lease as its holder renews it; `None` when somebody else holds it.
#[must_use]
pub(super) fn renewed(identity: &str, terms: Terms, lease: &LeaseSpec, wall: Timestamp) -> Option<LeaseSpec> {
    (holder(lease) == Some(identity)).then(|| held(identity, terms, Some(lease), wall))
}

/// The Lease as its holder leaves it: the next one need not wait. `None` when somebody else holds it.
#[must_use]
pub(super) fn released(identity: &str, lease: &LeaseSpec, wall: Timestamp) -> Option<LeaseSpec> {
    (holder(lease) == Some(identity)).then(|| LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(wall)),
        ..lease.clone()
    })
}

/// An empty name means that the last holder has left.
fn holder(lease: &LeaseSpec) -> Option<&str> {
    lease.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// How long the holder is waited for: as long as it asks for, and never less than we would.
fn duration(lease: Option<&LeaseSpec>, terms: Terms) -> Duration {
    let asked = lease.and_then(|lease| u64::try_from(lease.lease_duration_seconds?).ok());
    asked.map_or(terms.lease, Duration::from_secs).max(terms.lease)
}

fn held(identity: &str, terms: Terms, before: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
    let before = before.cloned().unwrap_or_default();
    let is_same = before.holder_identity.as_deref() == Some(identity);
    let transitions = before.lease_transitions.unwrap_or(0);
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(i32::try_from(terms.lease.as_secs().max(1)).unwrap_or(i32::MAX)),
        acquire_time: before
            .acquire_time
            .clone()
            .filter(|_| is_same)
            .or(Some(MicroTime(wall))),
        renew_time: Some(MicroTime(wall)),
        lease_transitions: Some(transitions.saturating_add(i32::from(!is_same))),
        ..before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn terms() -> Terms {
        Terms::of(10 * SECOND)
    }

    fn wall(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    /// What somebody with another clock wrote.
    fn lease_of(other: &str, seconds: i64) -> LeaseSpec {
        held(other, terms(), None, wall(seconds))
    }

    #[test]
    fn a_lease_that_is_missing_or_released_is_taken_at_once() {
        let now = Instant::now();
        let mut candidate = Candidate::new("b", terms());
        let Claim::Take(taken) = candidate.decide(None, now, wall(0)) else {
            panic!("nobody holds it")
        };
        assert_eq!(taken.holder_identity.as_deref(), Some("b"));
        assert_eq!(taken.lease_duration_seconds, Some(10));

        let released = released("a", &lease_of("a", 0), wall(1)).unwrap();
        let Claim::Take(taken) = candidate.decide(Some(&released), now, wall(2)) else {
            panic!("it was released")
        };
        assert_eq!(taken.lease_transitions, Some(2));
    }

    #[test]
    fn only_the_time_since_the_last_change_counts_whatever_the_clocks_say() {
        for written in [0, 4_000_000_000] {
            let begin = Instant::now();
            let mut candidate = Candidate::new("b", terms());
            let lease = lease_of("a", written);
            let ask = |candidate: &mut Candidate, lease: &LeaseSpec, seconds: u32| {
                candidate.decide(Some(lease), begin + seconds * SECOND, wall(1_000_000_000))
            };
            assert_eq!(ask(&mut candidate, &lease, 0), Claim::Wait(SECOND));
            assert_eq!(ask(&mut candidate, &lease, 9), Claim::Wait(SECOND));
            let renewed = renewed("a", terms(), &lease, wall(written + 9)).unwrap();
            assert_eq!(ask(&mut candidate, &renewed, 10), Claim::Wait(SECOND));
            assert_eq!(ask(&mut candidate, &renewed, 19), Claim::Wait(SECOND));
            assert!(matches!(ask(&mut candidate, &renewed, 20), Claim::Take(_)));
        }
    }

    #[test]
    fn a_holder_with_a_longer_lease_gets_it() {
        let begin = Instant::now();
        let mut candidate = Candidate::new("b", terms());
        let patient = LeaseSpec {
            lease_duration_seconds: Some(60),
            ..lease_of("a", 0)
        };
        candidate.decide(Some(&patient), begin, wall(0));
        let later = candidate.decide(Some(&patient), begin + 59 * SECOND, wall(0));
        assert_eq!(later, Claim::Wait(SECOND));
        assert!(matches!(
            candidate.decide(Some(&patient), begin + 60 * SECOND, wall(0)),
            Claim::Take(_)
        ));
    }

    #[test]
    fn nobody_renews_or_releases_what_is_not_theirs() {
        assert_eq!(renewed("b", terms(), &lease_of("a", 0), wall(1)), None);
        assert_eq!(released("b", &lease_of("a", 0), wall(1)), None);
        let mine = renewed("a", terms(), &lease_of("a", 0), wall(1)).unwrap();
        assert_eq!(mine.acquire_time, Some(MicroTime(wall(0))));
        assert_eq!(
            (mine.renew_time, mine.lease_transitions),
            (Some(MicroTime(wall(1))), Some(1))
        );
    }

    proptest! {
        /// Whatever a candidate sees and whenever it looks: a leader that renewed has stopped before it may take over.
        #[test]
        fn the_leader_has_stopped_before_the_next_one_begins(
            lag in 0_u64..3_000, looks in proptest::collection::vec(1_u64..5_000, 1..40),
        ) {
            let terms = terms();
            let renewal = Instant::now();
            let lease = lease_of("a", 0);
            let mut candidate = Candidate::new("b", terms);
            // The renewal is seen when it has reached the API server, and not before.
            let mut now = renewal + Duration::from_millis(lag);
            for look in looks {
                match candidate.decide(Some(&lease), now, wall(0)) {
                    Claim::Take(_) => prop_assert!(now >= renewal + terms.lease && terms.renew < terms.lease),
                    Claim::Wait(time) => prop_assert!(time <= terms.look),
                }
                now += Duration::from_millis(look);
            }
        }
    }
}
