//! What holds whatever happens.

use proptest::prelude::*;

use super::decide::Progress;
use super::model::{Event, World};

fn planned() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Pass),
        6 => Just(Event::Control),
        8 => (0..7_u16).prop_map(Event::Kubelet),
        3 => Just(Event::Quiet),
        1 => (1..6_u16).prop_map(Event::Scale),
        1 => any::<bool>().prop_map(|good| Event::Change { good }),
        1 => any::<bool>().prop_map(Event::Reach),
    ]
}

fn anything() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => planned(),
        1 => (0..7_u16).prop_map(Event::Evict),
        1 => (0..7_u16).prop_map(Event::Hang),
        1 => (0..7_u16).prop_map(Event::Misfit),
        1 => Just(Event::Scale(0)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever the user asks for, bad templates included, and however everybody's steps interleave.
    #[test]
    fn planned_changes_cost_no_call(
        wanted in 1..5_u16,
        max_unavailable in 1..3_u16,
        events in prop::collection::vec(planned(), 0..200),
    ) {
        let mut world = World::new(wanted, max_unavailable, true);
        world.settle().expect("the fleet starts");
        for event in events {
            world.happen(event);
            prop_assert!(world.answers(), "nobody whom GoodData calls answers after {event:?}: {world:?}");
            prop_assert!(world.harm.is_empty(), "{:?} after {event:?}: {world:?}", world.harm);
        }
        prop_assert!(world.settle().is_some(), "it never settles: {:?} {world:?}", world.decision());
        prop_assert!(world.harm.is_empty(), "{:?}", world.harm);
    }

    /// Whatever happens, pods that hang or are evicted included: in the end all is as asked for, and stays so.
    #[test]
    fn every_history_ends_as_asked_for(
        wanted in 0..5_u16,
        max_unavailable in 1..3_u16,
        has_sources: bool,
        events in prop::collection::vec(anything(), 0..200),
    ) {
        let mut world = World::new(wanted, max_unavailable, has_sources);
        for event in events {
            world.happen(event);
        }
        let settled = world.settle();
        prop_assert!(settled.is_some(), "it never settles: {:?} {world:?}", world.decision());
        for _ in 0..3 {
            world.happen(Event::Pass);
            world.happen(Event::Control);
        }
        let decision = world.decision();
        prop_assert_eq!(decision.replicas, world.wanted);
        prop_assert!(decision.removals.is_empty() && decision.again.is_none(), "{:?}", decision);
        prop_assert!(world.wanted == 0 || decision.progress == Progress::Done, "{:?} {world:?}", decision);
    }
}

#[test]
fn a_bad_template_stops_at_the_first_replica_and_evicted_ones_come_back_as_they_were() {
    let mut world = World::new(3, 1, true);
    world.settle().expect("the fleet starts");
    world.happen(Event::Change { good: false });
    let round = |world: &mut World| {
        world.happen(Event::Pass);
        for _ in 0..8 {
            world.happen(Event::Control);
        }
        (0..3).for_each(|ordinal| world.happen(Event::Kubelet(ordinal)));
        world.happen(Event::Quiet);
    };
    for _ in 0..20 {
        round(&mut world);
    }
    assert_eq!(world.named, [0, 1].into());
    assert_eq!(world.decision().partition, 2);
    world.happen(Event::Evict(0));
    for _ in 0..20 {
        round(&mut world);
    }
    assert_eq!(
        world.named,
        [0, 1].into(),
        "the evicted replica answers again: {world:?}"
    );
    world.happen(Event::Change { good: true });
    let decision = world.settle().expect("the fix goes through");
    assert_eq!((decision.progress, decision.partition), (Progress::Done, 0));
}

#[test]
fn without_data_sources_a_single_replica_is_replaced_where_it_stands() {
    let mut world = World::new(1, 1, false);
    world.settle().expect("the fleet starts");
    world.happen(Event::Change { good: true });
    world.settle().expect("it is replaced");
    assert_eq!(world.decision().replicas, 1);
}
