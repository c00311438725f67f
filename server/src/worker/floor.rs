//! Who works where: the slots of all workers, which of them are free, and who waits for one.
//!
//! Calls go to the worker that has least to do. Spells of streams go to the worker that has the stream; they are short,
//! and may use slots that calls do not get, so that streams are read while every call takes long.
//!
//! Calls that compute leave one worker to the others, as long as there are others: threads of one interpreter compute by
//! turns, and whoever waits for a turn waits for milliseconds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Slots that a worker has to begin with.
const FIRST: usize = 2;

/// Slots beyond those for calls.
const SPARE: usize = 8;

/// Tokens that one worker decides about at a time, in slots that neither calls nor spells get: who wants to read a result,
/// or to cancel a call, has to pass first.
const CHECKS: usize = 16;

/// For so long after a light call one worker is spared heavy ones.
const SPARED: Duration = Duration::from_millis(250);

/// What a slot is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A call, in any worker; heavy when it computes.
    Call { heavy: bool },
    /// A token, in any worker.
    Check,
    /// A spell of a stream, in the worker that has it.
    Spell { worker: u64 },
    /// A call that nobody waits for any more. Python cannot end a thread, so it goes on until the function returns.
    Left { worker: u64 },
}

impl Use {
    /// Who comes first.
    const fn rank(self) -> u8 {
        match self {
            Self::Check => 0,
            Self::Spell { .. } => 1,
            Self::Call { .. } | Self::Left { .. } => 2,
        }
    }

    const fn is_call(self) -> bool {
        match self {
            Self::Call { .. } => true,
            Self::Check | Self::Spell { .. } | Self::Left { .. } => false,
        }
    }

    const fn is_heavy(self) -> bool {
        match self {
            Self::Call { heavy } => heavy,
            Self::Check | Self::Spell { .. } | Self::Left { .. } => false,
        }
    }
}

/// A slot in use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken<S> {
    pub(super) worker: u64,
    pub(super) slot: S,
}

/// What became of asking for a slot.
#[derive(Debug)]
pub(super) enum Asked<S> {
    Now(Taken<S>),
    /// The sender goes away when the worker of a spell does.
    Later(oneshot::Receiver<Taken<S>>),
    /// The worker of the spell is gone.
    Gone,
}

/// A worker needs so many slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grow {
    pub(super) worker: u64,
    pub(super) count: usize,
}

/// All workers with their slots.
#[derive(Debug)]
pub(super) struct Floor<S> {
    desks: Vec<Desk<S>>,
    waiting: VecDeque<Waiting<S>>,
    /// Calls that may run in one worker.
    calls: usize,
    /// When the last light call came.
    light: Option<Instant>,
}

#[derive(Debug)]
struct Desk<S> {
    worker: u64,
    /// Whether it takes new calls.
    open: bool,
    free: Vec<S>,
    calls: usize,
    /// Those of the calls that compute.
    heavy: usize,
    spells: usize,
    checks: usize,
    /// Calls that nobody waits for any more.
    left: usize,
    streams: usize,
    /// Slots that it was asked to have.
    wanted: usize,
}

#[derive(Debug)]
struct Waiting<S> {
    wants: Use,
    give: oneshot::Sender<Taken<S>>,
}

impl<S> Floor<S> {
    pub(super) const fn new(calls: usize) -> Self {
        Self {
            desks: Vec::new(),
            waiting: VecDeque::new(),
            calls,
            light: None,
        }
    }

    /// A worker takes calls from now on, with slots that are to come.
    pub(super) fn open(&mut self, worker: u64) -> Grow {
        let count = FIRST.min(self.calls);
        self.desks.push(Desk {
            worker,
            open: true,
            free: Vec::new(),
            calls: 0,
            heavy: 0,
            spells: 0,
            checks: 0,
            left: 0,
            streams: 0,
            wanted: count,
        });
        Grow { worker, count }
    }

    /// How many calls may run in one worker, from now on.
    pub(super) fn set_calls(&mut self, calls: usize) {
        self.calls = calls;
    }

    /// A worker takes no new calls. Tells whether it has nothing to do.
    pub(super) fn close(&mut self, worker: u64) -> bool {
        let Some(desk) = self.desk(worker) else { return true };
        desk.open = false;
        desk.is_idle()
    }

    /// A worker is gone; its free slots are given back to be dropped.
    pub(super) fn remove(&mut self, worker: u64) -> Vec<S> {
        self.waiting.retain(|waiting| waiting.wants != Use::Spell { worker });
        match self.desks.iter().position(|desk| desk.worker == worker) {
            Some(at) => self.desks.swap_remove(at).free,
            None => Vec::new(),
        }
    }

    /// Workers that take calls.
    pub(super) fn open_workers(&self) -> usize {
        self.desks.iter().filter(|desk| desk.open).count()
    }

    /// A worker that takes calls.
    pub(super) fn open_worker(&self) -> Option<u64> {
        self.desks.iter().find(|desk| desk.open).map(|desk| desk.worker)
    }

    /// Asks for a slot.
    pub(super) fn ask(&mut self, wants: Use, now: Instant) -> (Asked<S>, Option<Grow>) {
        // Who came first is served first.
        let in_line = |of: Use| (of.is_call() && wants.is_call()) || (of == Use::Check && wants == Use::Check);
        let others_wait = self.waiting.iter().any(|waiting| in_line(waiting.wants));
        let spared = self.spared(wants, now);
        let limit = self.calls;
        let best = self.desks.iter_mut().filter(|desk| desk.takes(wants, limit));
        let best = best.min_by_key(|desk| {
            let heavy = if wants.is_heavy() { 0 } else { desk.heavy };
            let load = desk.calls + desk.spells + desk.checks;
            (Some(desk.worker) == spared, heavy, desk.free.is_empty(), load)
        });
        let Some(desk) = best else {
            return match wants {
                Use::Spell { worker } if self.desk(worker).is_some() => (self.wait(wants), None),
                Use::Spell { .. } | Use::Left { .. } => (Asked::Gone, None),
                Use::Call { .. } | Use::Check => (self.wait(wants), None),
            };
        };
        let slot = if others_wait { None } else { desk.free.pop() };
        let grow = if desk.free.is_empty() {
            desk.grow(wants, limit)
        } else {
            None
        };
        match slot {
            Some(slot) => (Asked::Now(desk.take(wants, slot)), grow),
            None => (self.wait(wants), grow),
        }
    }

    /// The worker that a heavy call leaves to light ones, unless all others are full: the one that has fewest such calls.
    fn spared(&mut self, wants: Use, now: Instant) -> Option<u64> {
        if wants == (Use::Call { heavy: false }) {
            self.light = Some(now);
        }
        let lately = self.light.is_some_and(|at| now.duration_since(at) < SPARED);
        if !wants.is_heavy() || !lately || self.open_workers() < 2 {
            return None;
        }
        let open = self.desks.iter().filter(|desk| desk.open);
        let spared = open.min_by_key(|desk| (desk.heavy, desk.worker));
        spared.map(|desk| desk.worker)
    }

    fn wait(&mut self, wants: Use) -> Asked<S> {
        let (give, given) = oneshot::channel();
        self.waiting.push_back(Waiting { wants, give });
        Asked::Later(given)
    }

    /// A slot that a worker has opened. It is given back when nobody asked for it: each is a descriptor of the server.
    pub(super) fn opened(&mut self, worker: u64, slot: S) -> Option<S> {
        match self.desk(worker) {
            Some(desk) if desk.slots() < desk.wanted => self.arrive(worker, slot),
            Some(_) | None => Some(slot),
        }
    }

    /// A slot is there, or free again: it goes to who waits for it. One of a worker that is gone is given back.
    pub(super) fn arrive(&mut self, worker: u64, slot: S) -> Option<S> {
        let limit = self.calls;
        let Some(desk) = self.desks.iter_mut().find(|desk| desk.worker == worker) else {
            return Some(slot);
        };
        let mut slot = slot;
        loop {
            // Tokens are quick; streams have been begun, so they come before calls.
            let of = |rank: u8| {
                let mut waiting = self.waiting.iter();
                waiting.position(|waiting| waiting.wants.rank() == rank && desk.takes(waiting.wants, limit))
            };
            let Some(waiting) = (0..=2).find_map(of).and_then(|at| self.waiting.remove(at)) else {
                desk.free.push(slot);
                return None;
            };
            let taken = desk.take(waiting.wants, slot);
            match waiting.give.send(taken) {
                Ok(()) => return None,
                // Nobody waits for it any more.
                Err(taken) => {
                    desk.leave(waiting.wants);
                    slot = taken.slot;
                }
            }
        }
    }

    /// A slot is not used any more; whether it can be used again is another matter. Tells whether its worker takes no new
    /// calls and has nothing left to do.
    pub(super) fn leave(&mut self, worker: u64, was: Use) -> bool {
        let Some(desk) = self.desk(worker) else { return false };
        desk.leave(was);
        desk.is_done()
    }

    /// Nobody waits any more for a call of a worker. Another may run in its place, in a slot more, unless as many were
    /// left behind as may run; tells what it counts as from now on.
    pub(super) fn give_up(&mut self, worker: u64, was: Use) -> (Use, Option<Grow>) {
        let limit = self.calls;
        let Some(desk) = self.desk(worker).filter(|desk| desk.left < limit) else {
            return (was, None);
        };
        desk.leave(was);
        desk.left += 1;
        let grow = match desk.free.pop() {
            Some(slot) => {
                // Who waits for this worker waits no longer.
                drop(self.arrive(worker, slot));
                None
            }
            None if desk.open => {
                desk.wanted += 1;
                let count = desk.wanted;
                Some(Grow { worker, count })
            }
            None => None,
        };
        (Use::Left { worker }, grow)
    }

    /// A stream is kept by a worker from now on.
    pub(super) fn stream_opened(&mut self, worker: u64) {
        if let Some(desk) = self.desk(worker) {
            desk.streams += 1;
        }
    }

    /// A stream is over. Tells as `leave` does.
    pub(super) fn stream_closed(&mut self, worker: u64) -> bool {
        let Some(desk) = self.desk(worker) else { return false };
        desk.streams = desk.streams.saturating_sub(1);
        desk.is_done()
    }

    fn desk(&mut self, worker: u64) -> Option<&mut Desk<S>> {
        self.desks.iter_mut().find(|desk| desk.worker == worker)
    }
}

impl<S> Desk<S> {
    fn takes(&self, wants: Use, limit: usize) -> bool {
        match wants {
            Use::Call { .. } => self.open && self.calls < limit,
            Use::Check => self.open && self.checks < CHECKS,
            // Slots beyond these are for tokens.
            Use::Spell { worker } => self.worker == worker && self.calls + self.spells < limit + SPARE,
            // It has its slot.
            Use::Left { .. } => false,
        }
    }

    fn take(&mut self, wants: Use, slot: S) -> Taken<S> {
        self.heavy += usize::from(wants.is_heavy());
        match wants {
            Use::Call { .. } => self.calls += 1,
            Use::Check => self.checks += 1,
            Use::Spell { .. } => self.spells += 1,
            Use::Left { .. } => self.left += 1,
        }
        Taken {
            worker: self.worker,
            slot,
        }
    }

    fn leave(&mut self, was: Use) {
        self.heavy = self.heavy.saturating_sub(usize::from(was.is_heavy()));
        let count = match was {
            Use::Call { .. } => &mut self.calls,
            Use::Check => &mut self.checks,
            Use::Spell { .. } => &mut self.spells,
            Use::Left { .. } => &mut self.left,
        };
        *count = count.saturating_sub(1);
    }

    /// Wants twice as many slots when all are in use.
    fn grow(&mut self, wants: Use, limit: usize) -> Option<Grow> {
        let most = match wants {
            Use::Call { .. } => limit + self.left + self.checks,
            Use::Spell { .. } => limit + self.left + SPARE + self.checks,
            Use::Check => limit + self.left + SPARE + CHECKS,
            Use::Left { .. } => return None,
        };
        if self.wanted >= most {
            return None;
        }
        self.wanted = (self.wanted * 2).clamp(1, most);
        Some(Grow {
            worker: self.worker,
            count: self.wanted,
        })
    }

    /// Those that are there: in use, or free.
    fn slots(&self) -> usize {
        self.free.len() + self.calls + self.spells + self.checks + self.left
    }

    const fn is_idle(&self) -> bool {
        self.calls == 0 && self.spells == 0 && self.checks == 0 && self.left == 0 && self.streams == 0
    }

    const fn is_done(&self) -> bool {
        !self.open && self.is_idle()
    }
}

#[cfg(test)]
mod tests;
