//! Who runs, who waits, who is refused: slots, and a bounded line in front of them.

use std::collections::VecDeque;

/// A fixed number of slots, and those who wait for one in the order they came.
#[derive(Debug)]
pub(super) struct Queue<T> {
    slots: usize,
    limit: usize,
    running: usize,
    waiting: VecDeque<T>,
}

/// What becomes of somebody who asks for a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<T> {
    /// A slot is theirs.
    Run(T),
    /// They wait.
    Wait,
    /// The line is full.
    Refused(T),
}

impl<T> Queue<T> {
    /// So many slots (at least one), and room for `limit` to wait.
    pub(super) fn new(slots: usize, limit: usize) -> Self {
        Self {
            slots: slots.max(1),
            limit,
            running: 0,
            waiting: VecDeque::new(),
        }
    }

    pub(super) fn admit(&mut self, who: T) -> Admission<T> {
        if self.running < self.slots {
            self.running += 1;
            Admission::Run(who)
        } else if self.waiting.len() < self.limit {
            self.waiting.push_back(who);
            Admission::Wait
        } else {
            Admission::Refused(who)
        }
    }

    /// Gives a slot back. It goes to the one who waited longest, if anybody did.
    pub(super) fn release(&mut self) -> Option<T> {
        let next = self.waiting.pop_front();
        if next.is_none() {
            self.running = self.running.saturating_sub(1);
        }
        next
    }

    /// Takes out of the line whoever matches.
    pub(super) fn withdraw(&mut self, matches: impl Fn(&T) -> bool) -> Option<T> {
        let position = self.waiting.iter().position(matches)?;
        self.waiting.remove(position)
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slots_first_then_the_line_then_refusal() {
        let mut queue = Queue::new(1, 1);
        assert_eq!(queue.admit('a'), Admission::Run('a'));
        assert_eq!(queue.admit('b'), Admission::Wait);
        assert_eq!(queue.admit('c'), Admission::Refused('c'));
        assert_eq!((queue.running(), queue.waiting()), (1, 1));
        assert_eq!(queue.release(), Some('b'));
        assert_eq!(queue.release(), None);
        assert_eq!((queue.running(), queue.waiting()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Action {
        Admit,
        Release,
        Withdraw(u32),
    }

    fn actions() -> impl Strategy<Value = Vec<Action>> {
        let action = prop_oneof![
            3 => Just(Action::Admit),
            2 => Just(Action::Release),
            1 => (0_u32..60).prop_map(Action::Withdraw),
        ];
        prop::collection::vec(action, 0..60)
    }

    proptest! {
        #[test]
        fn bounds_hold_and_the_order_is_kept(slots in 1_usize..4, limit in 0_usize..4, actions in actions()) {
            let mut queue = Queue::new(slots, limit);
            let mut next = 0_u32;
            let mut last_started = None;
            for action in actions {
                let started = match action {
                    Action::Admit => {
                        next += 1;
                        match queue.admit(next) {
                            Admission::Run(who) => Some(who),
                            Admission::Wait | Admission::Refused(_) => None,
                        }
                    }
                    Action::Release if queue.running() > 0 => queue.release(),
                    Action::Release => None,
                    Action::Withdraw(who) => {
                        let _ = queue.withdraw(|&waiting| waiting == who);
                        None
                    }
                };
                prop_assert!(queue.running() <= slots);
                prop_assert!(queue.waiting() <= limit);
                prop_assert!(queue.waiting() == 0 || queue.running() == slots, "a slot is idle while somebody waits");
                prop_assert!(started.is_none() || started > last_started, "somebody jumped the line");
                last_started = started.or(last_started);
            }
        }
    }
}
