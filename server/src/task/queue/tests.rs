use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn kind(line: usize, running: usize, waiting: usize) -> Bounds {
    Bounds { line, running, waiting }
}

fn ticket(admission: Admission) -> Ticket {
    match admission {
        Admission::Wait(ticket) => ticket,
        Admission::Run | Admission::LineFull | Admission::QueueFull => panic!("{admission:?}"),
    }
}

/// Lets them all ask for a slot.
fn line_up<T>(queue: &mut Queue<T>, kind: Bounds, who: impl IntoIterator<Item = T>) {
    for who in who {
        queue.admit(kind, who);
    }
}

#[test]
fn slots_first_then_the_line_then_refusal() {
    let (mut queue, kind) = (Queue::new(1, 1), kind(0, 1, 1000));
    assert_eq!(queue.admit(kind, 'a'), Admission::Run);
    ticket(queue.admit(kind, 'b'));
    assert_eq!(queue.admit(kind, 'c'), Admission::QueueFull);
    assert_eq!((queue.running(), queue.waiting()), (1, 1));
    queue.release(kind);
    assert_eq!((queue.next(), queue.next()), (Some('b'), None));
    queue.release(kind);
    assert_eq!((queue.running(), queue.waiting()), (0, 0));
}

#[test]
fn a_kind_has_bounds_of_its_own() {
    let (mut queue, small, other) = (Queue::new(8, 8), kind(0, 1, 1), kind(1, 8, 8));
    assert_eq!(queue.admit(small, 1), Admission::Run);
    ticket(queue.admit(small, 2));
    assert_eq!(queue.admit(small, 3), Admission::LineFull);
    assert_eq!(queue.next(), None, "there are slots, but not for this kind");
    assert_eq!(queue.admit(other, 4), Admission::Run);
}

#[test]
fn who_fills_everything_delays_nobody_else() {
    let (mut queue, greedy, small) = (Queue::new(8, 8), kind(0, 8, usize::MAX), kind(1, 8, usize::MAX));
    line_up(&mut queue, greedy, 0..16);
    assert_eq!((queue.running(), queue.waiting()), (8, 8));
    assert_eq!(queue.admit(greedy, 16), Admission::QueueFull);
    assert_eq!(queue.admit(small, 20), Admission::Run);
    assert_eq!(queue.admit(small, 21), Admission::Run);
    ticket(queue.admit(small, 22));
    // What the greedy one gives back goes to the small one, as long as it has less.
    queue.release(greedy);
    assert_eq!(queue.next(), Some(22));
    queue.release(greedy);
    assert_eq!(queue.next(), None, "the reserve is filled up first");
}

#[test]
fn kinds_take_turns_on_a_single_slot() {
    let (mut queue, kinds) = (Queue::new(1, 100), [kind(0, 1, 100), kind(1, 1, 100), kind(2, 1, 100)]);
    assert_eq!(queue.admit(kinds[0], 0), Admission::Run);
    line_up(&mut queue, kinds[0], 0..4);
    line_up(&mut queue, kinds[1], 10..12);
    line_up(&mut queue, kinds[2], 20..21);
    let mut order = Vec::new();
    let mut running = 0;
    while {
        queue.release(kinds[running]);
        true
    } && let Some(next) = queue.next()
    {
        running = next / 10;
        order.push(next);
    }
    assert_eq!(order, [0, 10, 20, 1, 11, 2, 3]);
}

#[test]
fn who_leaves_the_line_may_make_way() {
    let (mut queue, greedy, small) = (Queue::new(4, 8), kind(0, 4, 8), kind(1, 4, 8));
    (0..4).for_each(|n| assert_eq!(queue.admit(greedy, n), Admission::Run));
    assert_eq!(queue.admit(small, 10), Admission::Run);
    let first = ticket(queue.admit(small, 11));
    let second = ticket(queue.admit(small, 12));
    assert_eq!(queue.withdraw(small, first), Some(11));
    assert_eq!(queue.withdraw(small, first), None);
    queue.release(greedy);
    assert_eq!(queue.next(), Some(12));
    assert_eq!(queue.withdraw(small, second), None, "it runs");
}

#[derive(Clone, Debug)]
enum Action {
    Admit(usize),
    /// Of those who run, one ends.
    Release(prop::sample::Index),
    /// Of those who wait, one leaves.
    Withdraw(prop::sample::Index),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (0_usize..KINDS).prop_map(Action::Admit),
        3 => any::<prop::sample::Index>().prop_map(Action::Release),
        1 => any::<prop::sample::Index>().prop_map(Action::Withdraw),
    ];
    prop::collection::vec(action, 0..120)
}

const KINDS: usize = 4;

/// What the queue should do, said in the plainest way.
struct Model {
    slots: usize,
    kinds: [Bounds; KINDS],
    running: [usize; KINDS],
    waiting: [VecDeque<(Ticket, u32)>; KINDS],
}

impl Model {
    fn new(slots: usize, limits: &[(usize, usize)]) -> Self {
        Self {
            slots,
            kinds: std::array::from_fn(|line| kind(line, limits[line].0, limits[line].1)),
            running: [0; KINDS],
            waiting: Default::default(),
        }
    }

    fn total(&self) -> usize {
        self.running.iter().sum()
    }

    fn may_run(&self, kind: usize) -> bool {
        let active = (0..KINDS)
            .filter(|&other| other == kind || self.running[other] > 0 || !self.waiting[other].is_empty())
            .count();
        let slots = Shares::new(self.slots);
        self.running[kind] < self.kinds[kind].running && slots.admit(self.total(), self.running[kind], || active)
    }

    fn where_is(&self, who: u32) -> Option<usize> {
        (0..KINDS).find(|&kind| self.waiting[kind].front().is_some_and(|&(_, first)| first == who))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bounds_order_and_fairness_hold(
        slots in 1_usize..10,
        places in 0_usize..10,
        limits in prop::collection::vec((1_usize..10, 0_usize..10), KINDS),
        actions in actions(),
    ) {
        let mut queue = Queue::new(slots, places);
        let mut model = Model::new(slots, &limits);
        let mut next = 0_u32;
        for action in actions {
            match action {
                Action::Admit(kind) => {
                    next += 1;
                    let free = model.may_run(kind) && model.waiting[kind].is_empty();
                    let admission = queue.admit(model.kinds[kind], next);
                    prop_assert_eq!(admission == Admission::Run, free, "{:?}", admission);
                    match admission {
                        Admission::Run => model.running[kind] += 1,
                        Admission::Wait(ticket) => model.waiting[kind].push_back((ticket, next)),
                        Admission::LineFull => prop_assert_eq!(model.waiting[kind].len(), model.kinds[kind].waiting),
                        Admission::QueueFull => prop_assert!(queue.waiting() >= places),
                    }
                }
                Action::Release(index) => {
                    let busy: Vec<_> = (0..KINDS).filter(|&kind| model.running[kind] > 0).collect();
                    if !busy.is_empty() {
                        let &kind = index.get(&busy);
                        model.running[kind] -= 1;
                        queue.release(model.kinds[kind]);
                    }
                }
                Action::Withdraw(index) => {
                    let all: Vec<_> = (0..KINDS).flat_map(|kind| model.waiting[kind].iter().map(move |&(ticket, who)| (kind, ticket, who))).collect();
                    if !all.is_empty() {
                        let &(kind, ticket, who) = index.get(&all);
                        model.waiting[kind].retain(|&(other, _)| other != ticket);
                        prop_assert_eq!(queue.withdraw(model.kinds[kind], ticket), Some(who));
                    }
                }
            }
            while let Some(who) = queue.next() {
                let kind = model.where_is(who);
                prop_assert!(kind.is_some(), "{} jumped the line of its kind", who);
                let kind = kind.unwrap_or_default();
                prop_assert!(model.may_run(kind));
                let fewest = (0..KINDS).filter(|&kind| !model.waiting[kind].is_empty() && model.may_run(kind));
                prop_assert_eq!(fewest.map(|kind| model.running[kind]).min(), Some(model.running[kind]), "others held less");
                model.waiting[kind].pop_front();
                model.running[kind] += 1;
            }
            let waits_for_nothing = (0..KINDS).find(|&kind| !model.waiting[kind].is_empty() && model.may_run(kind));
            prop_assert_eq!(waits_for_nothing, None, "a slot is idle while somebody may have it");
            prop_assert_eq!(queue.running(), model.total());
            prop_assert_eq!(queue.waiting(), model.waiting.iter().map(VecDeque::len).sum::<usize>());
            prop_assert!(queue.running() <= Shares::new(slots).total());
            prop_assert!(queue.waiting() <= Shares::new(places).total());
        }
    }

    /// Whoever is first in a line and holds nothing gets one of the next slots: one for each kind at most goes before.
    #[test]
    fn nobody_starves(slots in 1_usize..5, waiting in prop::collection::vec(1_usize..6, KINDS), ends in prop::collection::vec(any::<prop::sample::Index>(), 64)) {
        let kinds: Vec<_> = (0..KINDS).map(|line| kind(line, 100, 100)).collect();
        let mut queue = Queue::new(slots, 1000);
        let mut running = Vec::new();
        // The first kind takes every slot, then all have somebody waiting.
        while queue.admit(kinds[0], 0) == Admission::Run {
            running.push(0);
        }
        for (line, &count) in waiting.iter().enumerate() {
            for _ in 0..count {
                if queue.admit(kinds[line], line) == Admission::Run {
                    running.push(line);
                }
            }
        }
        let mut started: [usize; KINDS] = std::array::from_fn(|line| running.iter().filter(|&&kind| kind == line).count());
        let mut ended = 0;
        for end in ends {
            if started[1..].iter().all(|&count| count > 0) {
                break;
            }
            let index = end.index(running.len());
            queue.release(kinds[running.swap_remove(index)]);
            ended += 1;
            while let Some(line) = queue.next() {
                started[line] += 1;
                running.push(line);
            }
        }
        prop_assert!(ended <= KINDS + 1, "{} calls ended before everybody had a slot: {:?}", ended, started);
    }
}
