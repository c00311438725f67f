use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 1_000;

/// A fleet, and the time.
struct Scene {
    fleet: Fleet,
    now: Instant,
}

impl Scene {
    fn of(places: usize) -> Self {
        let memory = Some(LIMIT);
        let mut scene = Self {
            fleet: Fleet::new(Bounds { places, memory }, || 0.5),
            now: Instant::now(),
        };
        assert_eq!(scene.on(Event::Tick), [Action::StartHost]);
        scene
    }

    /// With one worker, number 1, that serves.
    fn serving() -> Self {
        let mut scene = Self::of(1);
        scene.on(Event::HostUp);
        scene.becomes_ready(1);
        scene
    }

    fn on(&mut self, event: Event) -> Vec<Action> {
        self.fleet.on(event, self.now)
    }

    fn pass(&mut self, duration: Duration) -> Vec<Action> {
        self.now += duration;
        self.on(Event::Tick)
    }

    fn becomes_ready(&mut self, worker: u64) -> Vec<Action> {
        assert_eq!(self.on(Event::Arrived(worker)), [Action::Load(worker)]);
        self.on(Event::Loaded(worker))
    }
}

#[test]
fn a_worker_is_started_in_each_place_and_opened_when_it_has_loaded() {
    let mut scene = Scene::of(2);
    let starts = [0, 1].map(|place| Action::Start {
        worker: place as u64 + 1,
        place,
    });
    assert_eq!(scene.on(Event::HostUp), starts);
    assert_eq!(scene.becomes_ready(2), [Action::Open(2)]);
    assert_eq!(
        scene.pass(Duration::from_hours(1)),
        [Action::Signal(1, Signal::Kill)],
        "it never came"
    );
}

#[test]
fn a_worker_that_ends_is_replaced_later_each_time_until_one_stays() {
    let mut scene = Scene::serving();
    let mut worker = 1;
    for delay in [250, 500, 1_000] {
        scene.on(Event::Lost(worker));
        assert_eq!(scene.on(Event::Exited(worker)), []);
        assert_eq!(scene.pass(Duration::from_millis(delay - 1)), []);
        worker += 1;
        assert_eq!(
            scene.pass(Duration::from_millis(1)),
            [Action::Start { worker, place: 0 }]
        );
        scene.becomes_ready(worker);
    }
    scene.pass(backoff::HEALTHY);
    scene.on(Event::Exited(worker));
    assert_eq!(scene.fleet.wake(), Some(scene.now + Duration::from_millis(250)));
}

#[test]
fn a_worker_near_its_limit_serves_until_the_next_is_ready() {
    let mut scene = Scene::serving();
    assert_eq!(scene.on(Event::Memory(1, 899)), []);
    let start = Action::Start { worker: 2, place: 0 };
    assert_eq!(scene.on(Event::Memory(1, 900)), [start]);
    assert_eq!(scene.on(Event::Memory(1, 950)), []);
    assert_eq!(scene.becomes_ready(2), [Action::Open(2), Action::Close(1)]);
    assert_eq!(scene.on(Event::Idle(1)), [Action::Stop(1)]);
    assert_eq!(scene.on(Event::Exited(1)), []);
    assert_eq!(scene.fleet.wake(), None, "nothing failed");
}

#[test]
fn workers_are_replaced_one_after_the_other() {
    let mut scene = Scene::of(2);
    scene.on(Event::HostUp);
    scene.becomes_ready(1);
    scene.becomes_ready(2);
    assert_eq!(scene.on(Event::Memory(1, 900)).len(), 1);
    assert_eq!(scene.on(Event::Memory(2, 900)), []);
    assert!(scene.becomes_ready(3).contains(&Action::Start { worker: 4, place: 1 }));
}

#[test]
fn a_worker_over_its_limit_takes_no_more_calls() {
    let mut scene = Scene::serving();
    let start = Action::Start { worker: 2, place: 0 };
    assert_eq!(scene.on(Event::Memory(1, LIMIT)), [Action::Close(1), start]);
}

#[test]
fn a_worker_with_a_call_that_hangs_gets_a_while_and_is_killed() {
    let mut scene = Scene::serving();
    let start = Action::Start { worker: 2, place: 0 };
    assert_eq!(scene.on(Event::Hung(1)), [Action::Close(1), start]);
    assert_eq!(scene.pass(HUNG), [Action::Signal(1, Signal::Abrt)]);
    assert_eq!(scene.pass(KILL), [Action::Signal(1, Signal::Kill)]);
    assert_eq!(scene.pass(KILL), [Action::Signal(1, Signal::Kill)], "again and again");
}

#[test]
fn changed_modules_replace_all_workers_and_the_old_ones_serve_until_the_first_new_one_does() {
    let mut scene = Scene::of(2);
    scene.on(Event::HostUp);
    scene.becomes_ready(1);
    scene.becomes_ready(2);
    let start = |worker, place| Action::Start { worker, place };
    assert_eq!(scene.on(Event::Renew), [start(3, 0)]);
    let new = scene.becomes_ready(3);
    assert_eq!(new, [Action::Open(3), Action::Close(1), Action::Close(2), start(4, 1)]);
    for old in [1, 2] {
        assert_eq!(scene.on(Event::Idle(old)), [Action::Stop(old)]);
        assert_eq!(scene.on(Event::Exited(old)), []);
    }
    assert_eq!(
        scene.fleet.wake().map(|at| at - scene.now),
        Some(START),
        "nothing failed, one starts"
    );
}

#[test]
fn modules_that_do_not_load_any_more_leave_the_old_ones_and_are_tried_again_when_they_change() {
    let mut scene = Scene::serving();
    assert_eq!(scene.on(Event::Renew), [Action::Start { worker: 2, place: 0 }]);
    scene.on(Event::Arrived(2));
    scene.on(Event::Unloadable(2));
    assert_eq!(scene.on(Event::Exited(2)), [], "it waits before it tries again");
    assert!(scene.fleet.serves(1));
    assert_eq!(scene.on(Event::Renew), [Action::Start { worker: 3, place: 0 }]);
    scene.on(Event::Arrived(3));
    let again = [Action::Signal(3, Signal::Kill), Action::Start { worker: 4, place: 0 }];
    assert_eq!(scene.on(Event::Renew), again, "what it read is old already");
    assert_eq!(scene.becomes_ready(4), [Action::Open(4), Action::Close(1)]);
}

#[test]
fn a_host_that_ends_takes_all_along_and_comes_back() {
    let mut scene = Scene::serving();
    assert_eq!(scene.on(Event::HostDown), []);
    assert!(scene.fleet.is_empty());
    assert_eq!(scene.pass(Duration::from_millis(250)), [Action::StartHost]);
    assert_eq!(scene.on(Event::HostUp), [Action::Start { worker: 2, place: 0 }]);
}

#[test]
fn what_failed_with_one_host_is_tried_at_once_with_the_next() {
    let mut scene = Scene::serving();
    for worker in [1, 2, 3] {
        scene.on(Event::Exited(worker));
        scene.pass(Duration::from_secs(2));
        scene.on(Event::Unloadable(worker + 1));
    }
    scene.on(Event::Exited(4));
    scene.on(Event::HostDown);
    assert_eq!(scene.on(Event::HostUp), [Action::Start { worker: 5, place: 0 }]);
}

#[test]
fn the_end_stops_all_and_starts_none() {
    let mut scene = Scene::serving();
    assert_eq!(scene.on(Event::Shutdown), [Action::Close(1), Action::Stop(1)]);
    assert_eq!(scene.pass(STOP), [Action::Signal(1, Signal::Term)]);
    assert_eq!(scene.on(Event::Exited(1)), []);
    assert_eq!(scene.pass(Duration::from_hours(1)), []);
}

fn events() -> impl Strategy<Value = (Event, u64)> {
    let worker = 1_u64..6;
    let event = prop_oneof![
        Just(Event::HostUp),
        Just(Event::HostDown),
        Just(Event::Tick),
        Just(Event::Renew),
        worker.clone().prop_map(Event::Arrived),
        worker.clone().prop_map(Event::Loaded),
        worker.clone().prop_map(Event::Unloadable),
        worker.clone().prop_map(Event::Lost),
        worker.clone().prop_map(Event::Hung),
        worker.clone().prop_map(Event::Idle),
        worker.clone().prop_map(Event::Exited),
        (worker, 0..2 * LIMIT).prop_map(|(worker, bytes)| Event::Memory(worker, bytes)),
    ];
    (event, prop_oneof![Just(0), 0_u64..100_000])
}

proptest! {
    /// Whatever happens, no place has two workers that come or serve unless one replaces the other, and numbers are used
    /// once.
    #[test]
    fn places_stay_in_order(events in prop::collection::vec(events(), 0..60)) {
        let mut scene = Scene::of(2);
        let mut last = 0;
        for (event, millis) in events {
            scene.now += Duration::from_millis(millis);
            for action in scene.on(event) {
                if let Action::Start { worker, .. } = action {
                    prop_assert_eq!(worker, last + 1);
                    last = worker;
                }
            }
            for place in 0..2 {
                let here = scene.fleet.workers.values().filter(|worker| worker.place == place);
                let fresh = here.filter(|worker| matches!(worker.state, State::Starting | State::Loading | State::Ready));
                prop_assert!(fresh.count() <= 1);
            }
        }
    }
}
