//! The token that callers present, and its rotation. Pure.
//!
//! A token is replaced in two steps, each kept in the Secret before anybody relies on it: the servers accept the next one
//! beside the current one; once every replica does, callers are given the next one; once all of them have it, the old one
//! is dropped. A step may be repeated, so an operator that ends in its middle goes on from the Secret.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// The tokens of a fleet.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Where their rotation is.
    pub state: State,
    /// When callers were given their token.
    pub rotated_at: Timestamp,
}

/// Where a rotation is. `token` is what callers are given.
#[derive(Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing is being replaced.
    Settled {
        /// The only token.
        token: String,
    },
    /// The servers are told of the next token.
    Introduced {
        /// What callers are given still.
        token: String,
        /// What they will be given.
        next: String,
    },
    /// Every server accepts both; callers are given the new one.
    Switched {
        /// What callers are given now.
        token: String,
        /// What some of them may have still.
        previous: String,
    },
}

/// What the object asks for.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// A token made here, and another one after this time.
    Generated {
        /// None: it stays for good.
        every: Option<Duration>,
    },
    /// This one.
    Given(&'a str),
}

impl Tokens {
    /// The tokens after a look at what is wanted; `kept` are those of the last pass. `make` makes a token.
    pub fn plan(kept: Option<Self>, wanted: Wanted<'_>, now: Timestamp, make: impl Fn() -> String) -> Self {
        let Some(Self { state, rotated_at }) = kept else {
            let token = match wanted {
                Wanted::Generated { .. } => make(),
                Wanted::Given(token) => token.to_owned(),
            };
            return Self {
                state: State::Settled { token },
                rotated_at: now,
            };
        };
        let is_due = |every: Option<Duration>| next_rotation(rotated_at, every).is_some_and(|next| now >= next);
        let state = match (state, wanted) {
            (State::Settled { token }, Wanted::Generated { every }) if is_due(every) => {
                State::Introduced { token, next: make() }
            }
            (State::Settled { token }, Wanted::Given(given)) if token != given => State::Introduced {
                token,
                next: given.to_owned(),
            },
            // It was changed back, or once more, before anybody but the servers knew.
            (State::Introduced { token, .. }, Wanted::Given(given)) if token == given => State::Settled { token },
            (State::Introduced { token, .. }, Wanted::Given(given)) => State::Introduced {
                token,
                next: given.to_owned(),
            },
            // Callers may have either token: another one waits until all of them have the same.
            (
                state @ (State::Settled { .. } | State::Introduced { .. } | State::Switched { .. }),
                Wanted::Generated { .. } | Wanted::Given(_),
            ) => state,
        };
        Self { state, rotated_at }
    }

    /// Every replica accepts the next token: callers are given it from now on.
    #[must_use]
    pub fn accepted(self, now: Timestamp) -> Self {
        match self.state {
            State::Introduced { token, next } => Self {
                state: State::Switched {
                    token: next,
                    previous: token,
                },
                rotated_at: now,
            },
            State::Settled { .. } | State::Switched { .. } => self,
        }
    }

    /// Every caller has the token: the old one goes.
    #[must_use]
    pub fn handed_out(self) -> Self {
        match self.state {
            State::Switched { token, .. } => Self {
                state: State::Settled { token },
                ..self
            },
            State::Settled { .. } | State::Introduced { .. } => self,
        }
    }

    /// What callers are given.
    #[must_use]
    pub fn token(&self) -> &str {
        match &self.state {
            State::Settled { token } | State::Introduced { token, .. } | State::Switched { token, .. } => token,
        }
    }

    /// What every replica has to accept before callers are given it.
    #[must_use]
    pub fn to_be_accepted(&self) -> Option<&str> {
        match &self.state {
            State::Introduced { next, .. } => Some(next),
            State::Settled { .. } | State::Switched { .. } => None,
        }
    }

    /// What the servers accept.
    #[must_use]
    pub fn accepted_by_servers(&self) -> Vec<&str> {
        match &self.state {
            State::Settled { token } => vec![token],
            State::Introduced { token, next: other } | State::Switched { token, previous: other } => {
                vec![token, other]
            }
        }
    }
}

/// When the token is replaced by another one; None: never.
#[must_use]
pub fn next_rotation(rotated_at: Timestamp, every: Option<Duration>) -> Option<Timestamp> {
    let every = SignedDuration::try_from(every?).ok()?;
    rotated_at.checked_add(every).ok()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn plan(kept: Option<Tokens>, wanted: Wanted<'_>, now: Timestamp) -> Tokens {
        Tokens::plan(kept, wanted, now, || format!("made at {now}"))
    }

    #[test]
    fn a_generated_token_is_replaced_when_its_time_is_over() {
        let hourly = Wanted::Generated { every: Some(HOUR) };
        let first = plan(None, hourly, START);
        let token = first.token().to_owned();
        let early = plan(Some(first.clone()), hourly, START + 59.minutes());
        assert!(early == first && early.to_be_accepted().is_none());

        let due = plan(Some(first.clone()), hourly, START + 60.minutes());
        assert_eq!(due.token(), token, "callers have the old one still");
        let next = due.to_be_accepted().unwrap().to_owned();
        assert_eq!(due.accepted_by_servers(), [token.as_str(), next.as_str()]);
        assert!(
            plan(Some(due.clone()), hourly, START + 9.hours()) == due,
            "it is made once"
        );

        let switched = due.accepted(START + 2.hours());
        assert_eq!(switched.token(), next);
        assert_eq!(switched.accepted_by_servers(), [next.as_str(), token.as_str()]);
        let settled = switched.handed_out();
        assert_eq!(settled.accepted_by_servers(), [next.as_str()]);
        assert_eq!(settled.rotated_at, START + 2.hours());
        let never = Wanted::Generated { every: None };
        assert!(plan(Some(settled.clone()), never, START + 99_999.hours()) == settled);
    }

    #[test]
    fn a_token_that_is_changed_back_was_never_changed() {
        let first = plan(None, Wanted::Given("a"), START);
        let second = plan(Some(first.clone()), Wanted::Given("b"), START);
        assert_eq!(second.to_be_accepted(), Some("b"));
        let third = plan(Some(second.clone()), Wanted::Given("c"), START);
        assert_eq!(third.accepted_by_servers(), ["a", "c"]);
        assert!(plan(Some(third), Wanted::Given("a"), START) == first);
        let switched = second.accepted(START);
        assert!(
            plan(Some(switched.clone()), Wanted::Given("c"), START) == switched,
            "one at a time"
        );
    }

    proptest! {
        /// Whatever happens in whatever order: what callers are given is accepted, and what they had is, too, until they
        /// all have the new one.
        #[test]
        fn callers_are_never_locked_out(steps in prop::collection::vec((0..4_u8, 0..3_u8), 0..40)) {
            let given = ["a", "b", "c"];
            let mut tokens = plan(None, Wanted::Given("a"), START);
            // What the servers have read, and what callers were given.
            let (mut servers, mut callers) = (vec!["a".to_owned()], "a".to_owned());
            for (step, which) in steps {
                match step {
                    0 => tokens = plan(Some(tokens), Wanted::Given(given[usize::from(which)]), START),
                    1 => servers = tokens.accepted_by_servers().into_iter().map(str::to_owned).collect(),
                    2 => {
                        let accepted = tokens.to_be_accepted().is_some_and(|next| servers.iter().any(|known| known == next));
                        if accepted {
                            tokens = tokens.accepted(START);
                        }
                    }
                    _ => {
                        callers = tokens.token().to_owned();
                        tokens = tokens.handed_out();
                    }
                }
                prop_assert!(servers.contains(&callers), "{callers} is not one of {servers:?}");
            }
        }
    }
}
