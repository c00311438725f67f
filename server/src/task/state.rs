//! The life of a task, as a pure function of state and event.
//!
//! ```text
//! Queued ──► Running ──► Finishing ──► Ended (succeeded | failed)
//!   │           │
//!   │           └──► Cancelling ─┐
//!   └────────────────────────────┴───► Ended (cancelled)
//! ```

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for a slot.
    Queued,
    /// Its function runs.
    Running,
    /// Its function was asked to stop, and still runs.
    Cancelling(Reason),
    /// Its function returned, and the result is being stored: too late to cancel.
    Finishing,
    /// It is over.
    Ended(Ending),
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed,
    Cancelled(Reason),
}

/// Why a task was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A client asked for it.
    Asked,
    /// The only client that could ask for the result went away.
    Abandoned,
    /// The call's deadline passed.
    Deadline,
    /// The function said so itself.
    Function,
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A slot is free for it.
    SlotGranted,
    /// It shall be cancelled.
    CancelRequested(Reason),
    /// Its function returned.
    Returned(Returned),
    /// What its function returned is stored, or could not be.
    Stored { readable: bool },
    /// Nobody sees it through any more.
    Lost,
}

/// What a function returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    Output,
    Failure,
    Cancelled,
}

/// What has to be done because of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// Run the function.
    Run,
    /// Tell the function to stop.
    Stop,
    /// Store the output.
    Store,
    /// Take the task out of the queue.
    Withdraw,
    /// Forget the task and its result.
    Evict,
    /// Tell who asked that it is too late.
    Refuse,
}

impl State {
    /// The state after an event, and what to do. An event that has no meaning in a state changes nothing.
    #[expect(clippy::match_same_arms, reason = "the table is ordered by state")]
    pub(crate) const fn after(self, event: Event) -> (Self, Effect) {
        match (self, event) {
            (Self::Queued, Event::SlotGranted) => (Self::Running, Effect::Run),
            (Self::Queued, Event::CancelRequested(reason)) => {
                (Self::Ended(Ending::Cancelled(reason)), Effect::Withdraw)
            }
            (Self::Queued, Event::Lost) => (Self::Ended(Ending::Failed), Effect::None),
            (Self::Queued, Event::Returned(_) | Event::Stored { .. }) => (self, Effect::None),

            (Self::Running, Event::CancelRequested(reason)) => (Self::Cancelling(reason), Effect::Stop),
            (Self::Running, Event::Returned(Returned::Output)) => (Self::Finishing, Effect::Store),
            (Self::Running, Event::Returned(Returned::Failure) | Event::Lost) => {
                (Self::Ended(Ending::Failed), Effect::None)
            }
            (Self::Running, Event::Returned(Returned::Cancelled)) => {
                (Self::Ended(Ending::Cancelled(Reason::Function)), Effect::None)
            }
            (Self::Running, Event::SlotGranted | Event::Stored { .. }) => (self, Effect::None),

            // However a function ends that was told to stop, it was cancelled: its driver may well report the
            // interruption as an error of its own.
            (Self::Cancelling(reason), Event::Returned(_) | Event::Lost) => {
                (Self::Ended(Ending::Cancelled(reason)), Effect::None)
            }
            (Self::Cancelling(_), Event::CancelRequested(_) | Event::SlotGranted | Event::Stored { .. }) => {
                (self, Effect::None)
            }

            (Self::Finishing, Event::Stored { readable: true }) => (Self::Ended(Ending::Succeeded), Effect::None),
            (Self::Finishing, Event::Stored { readable: false }) => (Self::Ended(Ending::Failed), Effect::None),
            (Self::Finishing, Event::CancelRequested(_)) => (self, Effect::Refuse),
            (Self::Finishing, Event::Lost) => (Self::Ended(Ending::Failed), Effect::None),
            (Self::Finishing, Event::SlotGranted | Event::Returned(_)) => (self, Effect::None),

            // What ended in time is not undone by a deadline that passes in the same moment: its client has a ticket.
            (Self::Ended(_), Event::CancelRequested(Reason::Deadline)) => (self, Effect::None),
            (Self::Ended(_), Event::CancelRequested(Reason::Asked | Reason::Abandoned | Reason::Function)) => {
                (self, Effect::Evict)
            }
            (Self::Ended(_), Event::SlotGranted | Event::Returned(_) | Event::Stored { .. } | Event::Lost) => {
                (self, Effect::None)
            }
        }
    }

    /// How the task ended, once it did.
    pub(crate) const fn ending(self) -> Option<Ending> {
        match self {
            Self::Ended(ending) => Some(ending),
            Self::Queued | Self::Running | Self::Cancelling(_) | Self::Finishing => None,
        }
    }
}

impl Ending {
    /// Whether there is something to tell that nobody knows. Who asked for a task to be cancelled knows.
    pub(crate) const fn is_news(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled(Reason::Deadline | Reason::Function) => true,
            Self::Cancelled(Reason::Asked | Reason::Abandoned) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(events: &[Event]) -> (State, Vec<Effect>) {
        let mut state = State::Queued;
        let effects = events.iter().map(|&event| {
            let (next, effect) = state.after(event);
            state = next;
            effect
        });
        let effects = effects.collect();
        (state, effects)
    }

    const ASKED: Event = Event::CancelRequested(Reason::Asked);
    const OUTPUT: Event = Event::Returned(Returned::Output);

    #[test]
    fn a_call_succeeds() {
        let (state, effects) = run(&[Event::SlotGranted, OUTPUT, Event::Stored { readable: true }]);
        assert_eq!(state, State::Ended(Ending::Succeeded));
        assert_eq!(effects, [Effect::Run, Effect::Store, Effect::None]);
    }

    #[test]
    fn a_queued_task_is_cancelled_without_its_function_noticing() {
        let (state, effects) = run(&[ASKED, Event::SlotGranted]);
        assert_eq!(state, State::Ended(Ending::Cancelled(Reason::Asked)));
        assert_eq!(effects, [Effect::Withdraw, Effect::None]);
    }

    #[test]
    fn a_running_function_is_told_once() {
        let (state, effects) = run(&[
            Event::SlotGranted,
            ASKED,
            ASKED,
            Event::CancelRequested(Reason::Deadline),
        ]);
        assert_eq!(state, State::Cancelling(Reason::Asked));
        assert_eq!(effects, [Effect::Run, Effect::Stop, Effect::None, Effect::None]);
    }

    #[test]
    fn whatever_a_cancelled_function_returns_is_discarded() {
        for returned in [Returned::Output, Returned::Failure, Returned::Cancelled] {
            let (state, effects) = run(&[Event::SlotGranted, ASKED, Event::Returned(returned)]);
            assert_eq!(state, State::Ended(Ending::Cancelled(Reason::Asked)));
            assert_eq!(effects.last(), Some(&Effect::None));
        }
    }

    #[test]
    fn a_result_on_its_way_into_the_store_cannot_be_cancelled() {
        let (state, effects) = run(&[Event::SlotGranted, OUTPUT, ASKED]);
        assert_eq!(state, State::Finishing);
        assert_eq!(effects.last(), Some(&Effect::Refuse));
    }

    #[test]
    fn cancelling_what_ended_evicts_it() {
        let (state, effects) = run(&[Event::SlotGranted, Event::Returned(Returned::Failure), ASKED]);
        assert_eq!(state, State::Ended(Ending::Failed));
        assert_eq!(effects.last(), Some(&Effect::Evict));
    }

    #[test]
    fn a_deadline_does_not_take_away_what_was_ready_in_time() {
        let ready = [Event::SlotGranted, OUTPUT, Event::Stored { readable: true }];
        let (state, effects) = run(&[&ready[..], &[Event::CancelRequested(Reason::Deadline)]].concat());
        assert_eq!(state, State::Ended(Ending::Succeeded));
        assert_eq!(effects.last(), Some(&Effect::None));
    }

    fn events() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::SlotGranted),
            Just(ASKED),
            Just(Event::CancelRequested(Reason::Deadline)),
            Just(OUTPUT),
            Just(Event::Returned(Returned::Failure)),
            Just(Event::Returned(Returned::Cancelled)),
            any::<bool>().prop_map(|readable| Event::Stored { readable }),
            Just(Event::Lost),
        ]
    }

    proptest! {
        #[test]
        fn nothing_happens_twice_and_an_end_is_an_end(events in prop::collection::vec(events(), 0..20)) {
            let (last, effects) = run(&events);
            for once in [Effect::Run, Effect::Stop, Effect::Store, Effect::Withdraw] {
                prop_assert!(effects.iter().filter(|&&effect| effect == once).count() <= 1, "{once:?}");
            }
            let ran = effects.contains(&Effect::Run);
            prop_assert!(ran || !effects.contains(&Effect::Stop), "stopped what never ran");
            prop_assert!(ran || !effects.contains(&Effect::Store), "stored what never ran");
            prop_assert!(!(effects.contains(&Effect::Stop) && effects.contains(&Effect::Store)));

            let mut state = State::Queued;
            let mut ended = None;
            for event in events {
                (state, _) = state.after(event);
                if let Some(ending) = ended {
                    prop_assert_eq!(state, State::Ended(ending));
                }
                ended = ended.or(state.ending());
            }
            prop_assert_eq!(state, last);
        }
    }
}
