use super::*;

const LIGHT: Use = Use::Call { heavy: false };
const HEAVY: Use = Use::Call { heavy: true };

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
    assert_eq!(now(floor.ask(LIGHT, Instant::now())).0, 1);
    later(floor.ask(LIGHT, Instant::now()))
}

#[test]
fn calls_go_where_least_is_to_do_and_more_slots_are_wanted_as_they_run_out() {
    let mut floor = floor(4, &[(1, &["1a", "1b"]), (2, &["2a", "2b"])]);
    let taken: Vec<_> = (0..4).map(|_| now(floor.ask(LIGHT, Instant::now()))).collect();
    let grow = |worker| Some(Grow { worker, count: 4 });
    assert_eq!(taken, [(1, None), (2, None), (1, grow(1)), (2, grow(2))]);
    let mut given = later(floor.ask(LIGHT, Instant::now()));
    assert_eq!(floor.arrive(2, "2c"), None);
    assert_eq!(given.try_recv().unwrap().worker, 2);
    assert_eq!(floor.arrive(3, "x"), Some("x"), "nobody knows that worker");
}

#[test]
fn a_worker_has_no_more_slots_than_it_was_asked_for() {
    let mut floor = floor(4, &[(1, &[])]);
    assert_eq!((floor.opened(1, "a"), floor.opened(1, "b")), (None, None));
    assert_eq!(floor.opened(1, "c"), Some("c"));
    assert_eq!(now(floor.ask(LIGHT, Instant::now())).0, 1);
    assert_eq!(floor.opened(1, "c"), Some("c"), "those in use count");
    assert_eq!(
        now(floor.ask(LIGHT, Instant::now())),
        (1, Some(Grow { worker: 1, count: 4 }))
    );
    assert_eq!(floor.opened(1, "c"), None);
    assert_eq!(floor.opened(2, "x"), Some("x"));
}

#[test]
fn heavy_calls_leave_one_worker_to_light_ones_while_there_are_any() {
    let mut floor = floor(4, &[(1, &["1a", "1b"]), (2, &["2a", "2b"])]);
    let start = Instant::now();
    let ask = |floor: &mut Floor<_>, wants, at| now(floor.ask(wants, start + at)).0;
    let (soon, later) = (SPARED / 2, SPARED);
    let heavy = [(); 2].map(|()| ask(&mut floor, HEAVY, Duration::ZERO));
    assert_eq!(heavy, [1, 2], "alone they have everything");
    floor.leave(1, HEAVY);
    floor.arrive(1, "1a");
    assert_eq!(ask(&mut floor, LIGHT, Duration::ZERO), 1, "where nobody computes");
    assert_eq!(ask(&mut floor, HEAVY, soon), 2, "the other one is spared");
    floor.leave(2, HEAVY);
    floor.arrive(2, "2a");
    floor.leave(1, LIGHT);
    floor.arrive(1, "1a");
    assert_eq!(ask(&mut floor, HEAVY, later), 1, "nobody is spared any more");
}

#[test]
fn heavy_calls_go_anywhere_rather_than_wait() {
    let mut floor = floor(1, &[(1, &["1a"]), (2, &["2a"])]);
    assert_eq!(now(floor.ask(LIGHT, Instant::now())).0, 1);
    floor.leave(1, LIGHT);
    floor.arrive(1, "1a");
    let taken = [(); 2].map(|()| now(floor.ask(HEAVY, Instant::now())).0);
    assert_eq!(taken, [2, 1]);
}

#[test]
fn a_worker_runs_so_many_calls_and_its_streams_go_on() {
    let mut floor = floor(1, &[(1, &["a", "b"])]);
    let mut given = call_and_next(&mut floor);
    let spell = Use::Spell { worker: 1 };
    assert_eq!(
        now(floor.ask(spell, Instant::now())).0,
        1,
        "a slot that calls do not get"
    );
    floor.leave(1, spell);
    floor.arrive(1, "b");
    assert!(given.try_recv().is_err());
    floor.leave(1, LIGHT);
    floor.arrive(1, "a");
    assert!(given.try_recv().is_ok());
}

#[test]
fn tokens_have_slots_that_neither_calls_nor_streams_take() {
    let mut floor = Floor::new(1);
    floor.open(1);
    floor.arrive(1, "a");
    assert_eq!(now(floor.ask(LIGHT, Instant::now())).0, 1);
    // All that spells may have.
    let spell = Use::Spell { worker: 1 };
    let mut waiting: Vec<_> = (0..SPARE).map(|_| later(floor.ask(spell, Instant::now()))).collect();
    for given in &mut waiting {
        floor.arrive(1, "s");
        assert!(given.try_recv().is_ok());
    }
    floor.arrive(1, "free");
    let mut spelled = later(floor.ask(spell, Instant::now()));
    let mut called = later(floor.ask(LIGHT, Instant::now()));
    assert_eq!(now(floor.ask(Use::Check, Instant::now())).0, 1);
    let mut checked = later(floor.ask(Use::Check, Instant::now()));
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
    assert_eq!(floor.give_up(1, LIGHT), (left, Some(Grow { worker: 1, count: 2 })));
    floor.arrive(1, "b");
    assert_eq!(given.try_recv().unwrap().slot, "b");
    assert_eq!(
        floor.give_up(1, LIGHT),
        (LIGHT, None),
        "so many and no more are left behind"
    );
    assert!(!floor.close(1));
    assert!(!floor.leave(1, LIGHT));
    assert!(floor.leave(1, left), "now it has nothing to do");
}

#[test]
fn who_waits_takes_the_place_of_a_call_that_was_given_up() {
    let mut floor = floor(1, &[(1, &["a", "b"])]);
    let mut given = call_and_next(&mut floor);
    assert_eq!(floor.give_up(1, LIGHT), (Use::Left { worker: 1 }, None));
    assert_eq!(given.try_recv().unwrap().slot, "a", "the slot that was free already");
}

#[test]
fn who_does_not_wait_any_more_is_passed_over() {
    let mut floor = floor(1, &[]);
    drop(later(floor.ask(LIGHT, Instant::now())));
    let mut given = later(floor.ask(LIGHT, Instant::now()));
    floor.open(1);
    floor.arrive(1, "a");
    assert!(given.try_recv().is_ok());
}

#[test]
fn a_closed_worker_is_done_when_its_calls_and_streams_are() {
    let mut floor = floor(4, &[(1, &["1a", "1b"]), (2, &["2a", "2b"])]);
    floor.stream_opened(1);
    assert_eq!(now(floor.ask(LIGHT, Instant::now())).0, 1);
    assert!(!floor.close(1));
    assert!(floor.close(2));
    assert_eq!(floor.open_workers(), 0);
    assert!(!floor.leave(1, LIGHT));
    assert!(floor.stream_closed(1));
    assert_eq!(floor.remove(1), ["1a"]);
    assert!(matches!(
        floor.ask(Use::Spell { worker: 1 }, Instant::now()),
        (Asked::Gone, None)
    ));
}

#[test]
fn spells_that_wait_for_a_worker_learn_that_it_is_gone() {
    let mut floor = floor(1, &[(1, &[])]);
    let mut given = later(floor.ask(Use::Spell { worker: 1 }, Instant::now()));
    floor.remove(1);
    assert_eq!(given.try_recv(), Err(oneshot::error::TryRecvError::Closed));
}
