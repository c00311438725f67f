//! What to do next with the fleet, from what shall run, what runs and what GoodData may know of it. Pure.
//!
//! A replica's URL leaves the data source before the replica drains, and enters it when the replica is ready. Replicas
//! are replaced one at a time, and only while all the others are well. The last URL never leaves: a data source without
//! one would be of no use.

use std::collections::{BTreeMap, BTreeSet};

/// How one replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not been ready yet.
    Starting,
    /// It answers.
    Ready,
    /// It was ready, and is not: it died and is started again, or does not answer.
    Down,
    /// It was told to go.
    Draining,
}

/// One replica, as far as the decision needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) phase: Phase,
    /// Whether it runs with the settings that are wanted now.
    pub(super) current: bool,
}

/// All that the decision is made from.
#[derive(Debug, Clone)]
pub(super) struct View<'a> {
    /// How many replicas shall run; their ordinals are those below.
    pub(super) wanted: u16,
    /// What runs, by ordinal.
    pub(super) members: &'a BTreeMap<u16, Member>,
    /// Whether there is a data source at all.
    pub(super) registering: bool,
    /// The replicas whose URLs were sent last; empty when none were yet.
    pub(super) registered: &'a BTreeSet<u16>,
    /// The replicas whose URLs GoodData may hold, be it from a write that failed.
    pub(super) may_be_registered: &'a BTreeSet<u16>,
}

/// What to do, all at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Start these.
    pub(super) start: BTreeSet<u16>,
    /// Tell these to drain.
    pub(super) drain: BTreeSet<u16>,
    /// Have exactly these registered; `None` leaves the registration as it is.
    pub(super) register: Option<BTreeSet<u16>>,
}

/// Decides.
pub(super) fn next_steps(view: &View<'_>) -> Steps {
    let leaving = leaving(view);
    let serving: BTreeSet<u16> = view
        .members
        .iter()
        .filter(|(ordinal, member)| member.phase == Phase::Ready && !leaving.contains(ordinal))
        .map(|(ordinal, _)| *ordinal)
        .collect();
    let all_ready = (0..view.wanted).all(|ordinal| serving.contains(&ordinal));
    // The first registration waits for the whole fleet; from then on it follows.
    let register = view.registering && !serving.is_empty() && (all_ready || !view.registered.is_empty());
    let drain = leaving.iter().copied().filter(|ordinal| {
        let serves = view
            .members
            .get(ordinal)
            .is_some_and(|member| member.phase == Phase::Ready);
        let is_known = view.registering && view.may_be_registered.contains(ordinal);
        // A single replica is replaced in place, and a fleet that stops keeps its URL.
        let stays_known = serving.is_empty() && (view.wanted == 0 || *ordinal < view.wanted);
        !serves || !is_known || stays_known
    });
    Steps {
        start: (0..view.wanted)
            .filter(|ordinal| !view.members.contains_key(ordinal))
            .collect(),
        drain: drain.collect(),
        register: register.then_some(serving),
    }
}

/// The replicas that shall go now: those beyond the wanted number, and the next one with old settings.
fn leaving(view: &View<'_>) -> BTreeSet<u16> {
    let present = view
        .members
        .iter()
        .filter(|(_, member)| member.phase != Phase::Draining);
    let (mut leaving, mut stale) = (BTreeSet::new(), Vec::new());
    for (ordinal, member) in present {
        if *ordinal >= view.wanted {
            leaving.insert(*ordinal);
        } else if !member.current {
            stale.push((*ordinal, member.phase));
        }
    }
    // One that does not serve is replaced at once: nobody misses it, and the new settings may be its cure.
    let broken = stale
        .iter()
        .filter(|(_, phase)| *phase != Phase::Ready)
        .map(|(ordinal, _)| *ordinal);
    leaving.extend(broken);
    let others_are_well = (0..view.wanted).all(|ordinal| {
        view.members
            .get(&ordinal)
            .is_some_and(|member| member.phase == Phase::Ready)
    });
    if let (true, Some((ordinal, _))) = (others_are_well, stale.last()) {
        leaving.insert(*ordinal);
    }
    leaving
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const READY: Member = Member {
        phase: Phase::Ready,
        current: true,
    };
    const OLD: Member = Member {
        phase: Phase::Ready,
        current: false,
    };
    const STARTING: Member = Member {
        phase: Phase::Starting,
        current: true,
    };
    const DOWN: Member = Member {
        phase: Phase::Down,
        current: true,
    };
    const DRAINING: Member = Member {
        phase: Phase::Draining,
        current: true,
    };

    fn steps(wanted: u16, members: &[Member], registered: &[u16], may_be_registered: &[u16]) -> Steps {
        let members = (0..).zip(members.iter().copied()).collect();
        next_steps(&View {
            wanted,
            members: &members,
            registering: true,
            registered: &registered.iter().copied().collect(),
            may_be_registered: &may_be_registered.iter().copied().collect(),
        })
    }

    fn expected(start: &[u16], drain: &[u16], register: Option<&[u16]>) -> Steps {
        Steps {
            start: start.iter().copied().collect(),
            drain: drain.iter().copied().collect(),
            register: register.map(|register| register.iter().copied().collect()),
        }
    }

    #[rstest]
    #[case::nothing_runs(steps(2, &[], &[], &[]), expected(&[0, 1], &[], None))]
    #[case::the_first_registration_waits_for_all(steps(2, &[READY, STARTING], &[], &[]), expected(&[], &[], None))]
    #[case::all_are_ready(steps(2, &[READY, READY], &[], &[]), expected(&[], &[], Some(&[0, 1])))]
    #[case::one_died(steps(2, &[READY, DOWN], &[0, 1], &[0, 1]), expected(&[], &[], Some(&[0])))]
    #[case::all_died(steps(2, &[DOWN, DOWN], &[0, 1], &[0, 1]), expected(&[], &[], None))]
    #[case::scale_out_starts(steps(2, &[READY], &[0], &[0]), expected(&[1], &[], Some(&[0])))]
    #[case::scale_in_registers_first(steps(1, &[READY, READY], &[0, 1], &[0, 1]), expected(&[], &[], Some(&[0])))]
    #[case::then_it_drains(steps(1, &[READY, READY], &[0], &[0]), expected(&[], &[1], Some(&[0])))]
    #[case::not_while_gooddata_may_know_it(steps(1, &[READY, READY], &[0], &[0, 1]), expected(&[], &[], Some(&[0])))]
    #[case::stopping_keeps_the_url(steps(0, &[READY, READY], &[0, 1], &[0, 1]), expected(&[], &[0, 1], None))]
    #[case::old_settings_leave_one_by_one(
        steps(3, &[OLD, OLD, OLD], &[0, 1, 2], &[0, 1, 2]), expected(&[], &[], Some(&[0, 1])))]
    #[case::the_next_waits(steps(3, &[OLD, OLD, STARTING], &[0, 1], &[0, 1]), expected(&[], &[], Some(&[0, 1])))]
    #[case::the_next_waits_for_the_drain(steps(2, &[OLD, DRAINING], &[0], &[0]), expected(&[], &[], Some(&[0])))]
    #[case::a_single_one_is_replaced_in_place(steps(1, &[OLD], &[0], &[0]), expected(&[], &[0], None))]
    #[case::the_last_one_waits_for_another(steps(1, &[STARTING, READY], &[1], &[1]), expected(&[], &[], None))]
    #[case::a_broken_one_is_replaced_at_once(
        steps(2, &[READY, Member { phase: Phase::Starting, current: false }], &[0], &[0]),
        expected(&[], &[1], Some(&[0])))]
    fn decisions(#[case] steps: Steps, #[case] expected: Steps) {
        assert_eq!(steps, expected);
    }

    #[test]
    fn without_a_data_source_nothing_waits_for_one() {
        let members = BTreeMap::from([(0, READY), (1, READY)]);
        let nobody = BTreeSet::new();
        let view = View {
            wanted: 1,
            members: &members,
            registering: false,
            registered: &nobody,
            may_be_registered: &nobody,
        };
        assert_eq!(next_steps(&view), expected(&[], &[1], None));
    }

    /// A fleet whose replicas do what they are told at once, and a GoodData that does too.
    fn settle(wanted: u16, mut members: BTreeMap<u16, Member>, registering: bool) -> (BTreeMap<u16, Member>, usize) {
        let mut registered: BTreeSet<u16> = BTreeSet::new();
        let mut rounds = 0;
        loop {
            let before = (members.clone(), registered.clone());
            let view = View {
                wanted,
                members: &members,
                registering,
                registered: &registered,
                may_be_registered: &registered,
            };
            let steps = next_steps(&view);
            for ordinal in &steps.drain {
                let others = registered.iter().filter(|other| *other != ordinal);
                let others = others.filter(|other| members.get(other).is_some_and(|other| other.phase == Phase::Ready));
                let missed = registered.contains(ordinal) && members[ordinal].phase == Phase::Ready;
                assert!(
                    !missed || others.count() > 0 || wanted <= 1,
                    "{ordinal} was the last one"
                );
                members.remove(ordinal);
            }
            members.extend(steps.start.into_iter().map(|ordinal| (ordinal, STARTING)));
            members.retain(|_, member| member.phase != Phase::Draining);
            for member in members.values_mut() {
                if matches!(member.phase, Phase::Starting | Phase::Down) && member.current {
                    member.phase = Phase::Ready;
                }
            }
            registered = steps.register.unwrap_or(registered);
            rounds += 1;
            if before == (members.clone(), registered.clone()) || rounds > 100 {
                return (members, rounds);
            }
        }
    }

    proptest! {
        #[test]
        fn every_fleet_settles_in_what_is_wanted(
            wanted in 0..6u16,
            phases in proptest::collection::vec(
                (proptest::sample::select(&[Phase::Starting, Phase::Ready, Phase::Down, Phase::Draining][..]),
                any::<bool>()), 0..6),
            registering: bool,
        ) {
            let members = (0..).zip(phases).map(|(n, (phase, current))| (n, Member { phase, current })).collect();
            let (settled, rounds) = settle(wanted, members, registering);
            prop_assert!(rounds < 100);
            let goal: BTreeMap<_, _> = (0..wanted).map(|ordinal| (ordinal, READY)).collect();
            prop_assert_eq!(settled, goal);
        }
    }
}
