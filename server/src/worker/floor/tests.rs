use super::*;

/// Workers by their numbers, each with slots of these names, of which so many may run calls.
fn floor(calls: usize, workers: &[(u64, &[&'static str])]) -> Floor<&'static str> {
    let mut floor = Floor::new(calls);
    for (worker, slots) in workers {
        assert_eq!(floor.open(*worker).count, FIRST.min(calls));
        for slot in *slots {
            assert_eq!(floor.arrive(*worker, *slot), None);
        }
    }
    floor
}

fn now(asked: (Asked<&'static str>, Option<Grow>)) -> (u64, Option<Grow>) {
    match asked {
        (Asked::Now(taken), grow) => (taken.worker, grow),
        (other, _) => panic!("{other:?}"),
    }
}

fn later(asked: (Asked<&'static str>, Option<Grow>)) -> oneshot::Receiver<Taken<&'static str>> {
    match asked {
        (Asked::Later(given), _) => given,
        (other, _) => panic!("{other:?}"),
    }
}

/// A call that runs in the only worker, and one that waits.
fn call_and_next(floor: &mut Floor<&'static str>) -> oneshot::Receiver<Taken<&'static str>> {
    assert_eq!(now(floor.ask(Use::Call)).0, 1);
    later(floor.ask(Use::Call))
}

#[test]
fn calls_go_where_least_is_to_do_and_more_slots_are_wanted_as_they_run_out() {
    let mut floor = floor(4, &[(1, &["1a", "1b"]), (2, &["2a", "2b"])]);
    let taken: Vec<_> = (0..4).map(|_| now(floor.ask(Use::Call))).collect();
    let grow = |worker| Some(Grow { worker, count: 4 });
    assert_eq!(taken, [(1, None), (2, None), (1, grow(1)), (2, grow(2))]);
    let mut given = later(floor.ask(Use::Call));
    assert_eq!(floor.arrive(2, "2c"), None);
    assert_eq!(given.try_recv().unwrap().worker, 2);
    assert_eq!(floor.arrive(3, "x"), Some("x"), "nobody knows that worker");
}

#[test]
fn a_worker_has_no_more_slots_than_it_was_asked_for() {
    let mut floor = floor(4, &[(1, &[])]);
    assert_eq!((floor.opened(1, "a"), floor.opened(1, "b")), (None, None));
    assert_eq!(floor.opened(1, "c"), Some("c"));
    assert_eq!(now(floor.ask(Use::Call)).0, 1);
    assert_eq!(floor.opened(1, "c"), Some("c"), "those in use count");
    assert_eq!(now(floor.ask(Use::Call)), (1, Some(Grow { worker: 1, count: 4 })));
    assert_eq!(floor.opened(1, "c"), None);
    assert_eq!(floor.opened(2, "x"), Some("x"));
}

#[test]
fn a_worker_runs_so_many_calls_and_its_streams_go_on() {
    let mut floor = floor(1, &[(1, &["a", "b"])]);
    let mut given = call_and_next(&mut floor);
    let spell = Use::Spell { worker: 1 };
    assert_eq!(now(floor.ask(spell)).0, 1, "a slot that calls do not get");
    floor.leave(1, spell);
    floor.arrive(1, "b");
    assert!(given.try_recv().is_err());
    floor.leave(1, Use::Call);
    floor.arrive(1, "a");
    assert!(given.try_recv().is_ok());
}

#[test]
fn tokens_have_slots_that_neither_calls_nor_streams_take() {
    let mut floor = Floor::new(1);
    floor.open(1);
    floor.arrive(1, "a");
    assert_eq!(now(floor.ask(Use::Call)).0, 1);
    // All that spells may have.
    let spell = Use::Spell { worker: 1 };
    let mut waiting: Vec<_> = (0..SPARE).map(|_| later(floor.ask(spell))).collect();
    for given in &mut waiting {
        floor.arrive(1, "s");
        assert!(given.try_recv().is_ok());
    }
    floor.arrive(1, "free");
    let mut spelled = later(floor.ask(spell));
    let mut called = later(floor.ask(Use::Call));
    assert_eq!(now(floor.ask(Use::Check)).0, 1);
    let mut checked = later(floor.ask(Use::Check));
    floor.arrive(1, "next");
    assert!(checked.try_recv().is_ok(), "it comes first");
    floor.leave(1, spell);
    floor.arrive(1, "s");
    assert!(spelled.try_recv().is_ok() && called.try_recv().is_err());
    assert!(!floor.close(1) && !floor.leave(1, Use::Check));
}

#[test]
fn a_call_that_was_given_up_is_in_nobodys_way() {
    let mut floor = floor(1, &[(1, &["a"])]);
    let mut given = call_and_next(&mut floor);
    let left = Use::Left { worker: 1 };
    assert_eq!(floor.give_up(1), (left, Some(Grow { worker: 1, count: 2 })));
    floor.arrive(1, "b");
    assert_eq!(given.try_recv().unwrap().slot, "b");
    assert_eq!(
        floor.give_up(1),
        (Use::Call, None),
        "so many and no more are left behind"
    );
    assert!(!floor.close(1));
    assert!(!floor.leave(1, Use::Call));
    assert!(floor.leave(1, left), "now it has nothing to do");
}

#[test]
fn who_waits_takes_the_place_of_a_call_that_was_given_up() {
    let mut floor = floor(1, &[(1, &["a", "b"])]);
    let mut given = call_and_next(&mut floor);
    assert_eq!(floor.give_up(1), (Use::Left { worker: 1 }, None));
    assert_eq!(given.try_recv().unwrap().slot, "a", "the slot that was free already");
}

#[test]
fn who_does_not_wait_any_more_is_passed_over() {
    let mut floor = floor(1, &[]);
    drop(later(floor.ask(Use::Call)));
    let mut given = later(floor.ask(Use::Call));
    floor.open(1);
    floor.arrive(1, "a");
    assert!(given.try_recv().is_ok());
}

#[test]
fn a_closed_worker_is_done_when_its_calls_and_streams_are() {
    let mut floor = floor(4, &[(1, &["1a", "1b"]), (2, &["2a", "2b"])]);
    floor.stream_opened(1);
    assert_eq!(now(floor.ask(Use::Call)).0, 1);
    assert!(!floor.close(1));
    assert!(floor.close(2));
    assert_eq!(floor.open_workers(), 0);
    assert!(!floor.leave(1, Use::Call));
    assert!(floor.stream_closed(1));
    assert_eq!(floor.remove(1), ["1a"]);
    assert!(matches!(floor.ask(Use::Spell { worker: 1 }), (Asked::Gone, None)));
}

#[test]
fn spells_that_wait_for_a_worker_learn_that_it_is_gone() {
    let mut floor = floor(1, &[(1, &[])]);
    let mut given = later(floor.ask(Use::Spell { worker: 1 }));
    floor.remove(1);
    assert_eq!(given.try_recv(), Err(oneshot::error::TryRecvError::Closed));
}
