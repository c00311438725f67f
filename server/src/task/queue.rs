//! Who runs, who waits, who is refused: slots, and in front of them a bounded line for each kind of task.
//!
//! Within a kind, first come is first served. Between kinds, a free slot goes to the one that holds the fewest, and among
//! equals to the one that got its last slot longest ago. How much each kind may hold is the matter of [`Shares`].

use std::collections::BTreeMap;

use super::kinds::Bounds;
use super::shares::Shares;

/// The slots, and those who wait for one.
#[derive(Debug)]
pub(super) struct Queue<T> {
    slots: Shares,
    places: Shares,
    running: usize,
    waiting: usize,
    /// By [`Bounds::line`].
    lines: Vec<Line<T>>,
    /// Counts who came, to tell them apart.
    arrivals: u64,
    /// Counts slots given to those who waited.
    turns: u64,
}

/// The tasks of one kind.
#[derive(Debug)]
struct Line<T> {
    limit: usize,
    running: usize,
    waiting: BTreeMap<Ticket, T>,
    last_turn: u64,
}

/// The place of somebody in line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What becomes of somebody who asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// A slot is theirs.
    Run,
    /// They wait.
    Wait(Ticket),
    /// The line of their kind is as long as it may be.
    LineFull,
    /// All lines together are.
    QueueFull,
}

impl<T> Queue<T> {
    /// So many slots (at least one), and room for `places` to wait.
    pub(super) fn new(slots: usize, places: usize) -> Self {
        Self {
            slots: Shares::new(slots.max(1)),
            places: Shares::new(places),
            running: 0,
            waiting: 0,
            lines: Vec::new(),
            arrivals: 0,
            turns: 0,
        }
    }

    /// Asks for a slot. `who` is kept if it has to wait, and dropped otherwise.
    pub(super) fn admit(&mut self, kind: Bounds, who: T) -> Admission {
        let line = self.line(kind);
        let (running, waiting) = (line.running, line.waiting.len());
        let active = || self.count_besides(kind, Line::is_active) + 1;
        if waiting == 0 && running < kind.running && self.slots.admit(self.running, running, active) {
            self.running += 1;
            self.line(kind).running += 1;
            return Admission::Run;
        }
        let in_line = || self.count_besides(kind, |line| !line.waiting.is_empty()) + 1;
        if waiting >= kind.waiting {
            return Admission::LineFull;
        }
        if !self.places.admit(self.waiting, waiting, in_line) {
            return Admission::QueueFull;
        }
        self.arrivals += 1;
        let ticket = Ticket(self.arrivals);
        self.waiting += 1;
        self.line(kind).waiting.insert(ticket, who);
        Admission::Wait(ticket)
    }

    /// Gives a slot back. Ask for the [`Queue::next`] to run then.
    pub(super) fn release(&mut self, kind: Bounds) {
        self.running = self.running.saturating_sub(1);
        let line = self.line(kind);
        line.running = line.running.saturating_sub(1);
    }

    /// Takes somebody out of line; `None` when they are not there any more. It may be another's turn then: ask for the
    /// [`Queue::next`] to run.
    pub(super) fn withdraw(&mut self, kind: Bounds, ticket: Ticket) -> Option<T> {
        let who = self.line(kind).waiting.remove(&ticket)?;
        self.waiting -= 1;
        Some(who)
    }

    /// Gives a slot to somebody who waits, if one may be given. To be repeated until it is `None`.
    pub(super) fn next(&mut self) -> Option<T> {
        if self.waiting == 0 {
            return None;
        }
        let active = self.lines.iter().filter(|line| line.is_active()).count();
        let (slots, running) = (self.slots, self.running);
        let line = self
            .lines
            .iter_mut()
            .filter(|line| !line.waiting.is_empty() && line.running < line.limit)
            .filter(|line| slots.admit(running, line.running, || active))
            .min_by_key(|line| (line.running, line.last_turn))?;
        let (_, who) = line.waiting.pop_first()?;
        self.turns += 1;
        line.last_turn = self.turns;
        line.running += 1;
        self.running += 1;
        self.waiting -= 1;
        Some(who)
    }

    pub(super) const fn running(&self) -> usize {
        self.running
    }

    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    fn line(&mut self, kind: Bounds) -> &mut Line<T> {
        if self.lines.len() <= kind.line {
            self.lines.resize_with(kind.line + 1, Line::default);
        }
        let line = &mut self.lines[kind.line];
        line.limit = kind.running;
        line
    }

    /// How many other kinds there are to which this applies.
    fn count_besides(&self, kind: Bounds, applies: impl Fn(&Line<T>) -> bool) -> usize {
        let others = self.lines.iter().enumerate().filter(|&(index, _)| index != kind.line);
        others.filter(|&(_, line)| applies(line)).count()
    }
}

impl<T> Line<T> {
    fn is_active(&self) -> bool {
        self.running > 0 || !self.waiting.is_empty()
    }
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self {
            limit: 0,
            running: 0,
            waiting: BTreeMap::new(),
            last_turn: 0,
        }
    }
}

#[cfg(test)]
mod tests;
