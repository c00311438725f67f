//! The decision: from the replicas as they are to what the `StatefulSet` and the data sources shall say now. Pure.
//!
//! A replica is replaced in four steps, each of them a look at what is: no data source names it any more; no new call has
//! come for a while; the partition falls to its ordinal, and the `StatefulSet` controller replaces the pod; it answers, and
//! the data sources name it again. Nothing is remembered between passes but the partition itself.

use std::collections::BTreeSet;
use std::time::Duration;

use super::replica::{Life, Replica, Template, UNREACHABLE};
use crate::names::Ordinal;

/// A new fleet is registered whole, unless one of its replicas has been ready for so long.
const FIRST_REGISTRATION: Duration = Duration::from_secs(30);

/// How soon to look again at a replica that still gets calls.
const QUIET_POLL: Duration = Duration::from_secs(1);

/// What there is.
#[derive(Clone, Debug)]
pub struct Situation {
    /// How many replicas the object asks for.
    pub wanted: u16,
    /// How many may be away at the same time; at least 1.
    pub max_unavailable: u16,
    /// The `StatefulSet`; None before the first pass.
    pub set: Option<Set>,
    /// Every replica that the `StatefulSet` asks for, in order.
    pub replicas: Vec<Replica>,
    /// Whether data sources can be told.
    pub sources: Sources,
}

/// The `StatefulSet` as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// How many pods it asks for.
    pub replicas: u16,
    /// The pods from this ordinal on are made from its newest template.
    pub partition: u16,
    /// Its template is the one that the object asks for.
    pub is_current: bool,
    /// Its controller has seen it as it is now.
    pub is_observed: bool,
}

/// What the data sources have to do with a roll-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// There are none.
    None,
    /// They say what they were told.
    Told,
    /// Some of them cannot be told: planned steps wait.
    Blocked,
}

/// What shall be now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// How many pods the `StatefulSet` asks for.
    pub replicas: u16,
    /// From which ordinal on pods are made from the newest template.
    pub partition: u16,
    /// The replicas that the data sources name. Empty: nothing is to be registered yet.
    pub named: BTreeSet<Ordinal>,
    /// Pods to be deleted.
    pub removals: Vec<(Ordinal, Removal)>,
    /// Where the roll-out is.
    pub progress: Progress,
    /// When to look again, where no watch will tell.
    pub again: Option<Duration>,
}

/// Why a pod is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is of a template that was replaced since, and never answered: it must not stand in the way of its successor.
    Stuck,
    /// Its time is over and its node does not end it.
    Lost,
}

/// Where a roll-out is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Every replica is as wanted.
    Done,
    /// The `StatefulSet` controller has not seen the last change.
    Observing,
    /// A replica is taken out of the data sources.
    Withdrawing(Ordinal),
    /// A replica that no data source names still gets calls.
    Quieting(Ordinal),
    /// A replica is replaced, or starts.
    Starting(Ordinal),
    /// A replica answers, and is not in the data sources yet.
    Joining(Ordinal),
    /// A data source cannot be told.
    Blocked(Ordinal),
    /// No other replica answers while this one is replaced.
    Alone(Ordinal),
}

/// Decides.
#[must_use]
pub fn decide(situation: &Situation) -> Decision {
    let Some(set) = situation.set else {
        return Decision {
            replicas: situation.wanted,
            partition: 0,
            named: BTreeSet::new(),
            removals: Vec::new(),
            progress: starting(situation.wanted),
            again: None,
        };
    };
    if situation.wanted == 0 || set.replicas == 0 {
        return Decision {
            replicas: situation.wanted,
            partition: 0,
            named: named(&situation.replicas),
            removals: lost(&situation.replicas),
            progress: starting(situation.wanted),
            again: None,
        };
    }
    Roll::new(situation, set).decide()
}

const fn starting(wanted: u16) -> Progress {
    match wanted {
        0 => Progress::Done,
        _ => Progress::Starting(Ordinal(0)),
    }
}

fn named(replicas: &[Replica]) -> BTreeSet<Ordinal> {
    let named = replicas.iter().filter(|replica| replica.named);
    named.map(|replica| replica.ordinal).collect()
}

fn lost(replicas: &[Replica]) -> Vec<(Ordinal, Removal)> {
    let lost = replicas
        .iter()
        .filter(|replica| replica.life == Life::Leaving { overdue: true });
    lost.map(|replica| (replica.ordinal, Removal::Lost)).collect()
}

/// How far a replica is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dismissal {
    /// Nobody calls it any more.
    Gone,
    /// It is no longer named, or shall not be.
    Going,
    /// It is needed.
    Staying,
}

/// A fleet that runs.
struct Roll<'a> {
    situation: &'a Situation,
    set: Set,
    /// How many replicas there shall be for now: one more than wanted while a single one is replaced.
    target: u16,
    progress: Progress,
    again: Option<Duration>,
}

impl<'a> Roll<'a> {
    fn new(situation: &'a Situation, set: Set) -> Self {
        let mut roll = Self {
            situation,
            set,
            target: situation.wanted,
            progress: Progress::Done,
            again: None,
        };
        if roll.needs_surge() {
            roll.target = situation.wanted.max(set.partition) + 1;
        }
        roll
    }

    fn decide(mut self) -> Decision {
        let mut removals = lost(&self.situation.replicas);
        let mut outgoing = BTreeSet::new();
        if !self.set.is_current {
            // The new template comes with a partition that keeps every pod as it is.
            self.tell(Progress::Observing);
            let named = self.named_now(&outgoing);
            let running = self.set.replicas;
            return self.done(running, running, named, removals);
        }
        if !self.set.is_observed {
            self.tell(Progress::Observing);
            let named = self.named_now(&outgoing);
            let Set {
                replicas, partition, ..
            } = self.set;
            return self.done(replicas, partition, named, removals);
        }
        removals.extend(self.stuck());
        self.await_starting();
        let replicas = self.size(&mut outgoing);
        let partition = self.lower(&mut outgoing);
        let named = self.named_now(&outgoing);
        self.await_joining();
        self.done(replicas, partition, named, removals)
    }

    fn done(
        self,
        replicas: u16,
        partition: u16,
        named: BTreeSet<Ordinal>,
        removals: Vec<(Ordinal, Removal)>,
    ) -> Decision {
        Decision {
            replicas,
            partition: partition.min(replicas),
            named,
            removals,
            progress: self.progress,
            again: self.again,
        }
    }

    fn replicas(&self) -> &'a [Replica] {
        &self.situation.replicas
    }

    fn is_rolling(&self) -> bool {
        self.set.partition > 0 || self.replicas().iter().any(Replica::is_outdated)
    }

    /// The only replica that answers is replaced while another one answers in its place, which is made for that.
    fn needs_surge(&self) -> bool {
        let next = self.set.partition.checked_sub(1).map(Ordinal);
        let first_made = self.situation.wanted.max(self.set.partition);
        let mut others = self
            .replicas()
            .iter()
            .filter(|other| Some(other.ordinal) != next && other.ordinal.0 < first_made);
        let is_alone = others.clone().all(|other| !other.serves())
            && others.all(|other| other.ordinal.0 >= self.set.partition || other.is_unreachable());
        let next = self.replicas().iter().find(|replica| Some(replica.ordinal) == next);
        self.set.is_current
            && self.situation.sources != Sources::None
            && is_alone
            && next.is_some_and(|replica| replica.serves() && replica.is_outdated())
    }

    /// How many pods there shall be. Replicas that shall go are taken out of the data sources first, and those that shall
    /// come wait for the end of a roll-out.
    fn size(&mut self, outgoing: &mut BTreeSet<Ordinal>) -> u16 {
        let running = self.set.replicas;
        if running < self.target {
            let is_surge = self.target > self.situation.wanted;
            return if self.is_rolling() && !is_surge {
                running
            } else {
                self.target
            };
        }
        let mut replicas = running;
        let mut may_shrink = true;
        let target = self.target;
        for replica in self
            .replicas()
            .iter()
            .rev()
            .filter(|replica| replica.ordinal.0 >= target)
        {
            may_shrink &= self.dismiss(replica, outgoing) == Dismissal::Gone;
            if may_shrink {
                replicas = replica.ordinal.0;
            }
        }
        replicas
    }

    /// The partition: lowered below every replica that nobody calls any more, as long as few are on their way.
    fn lower(&mut self, outgoing: &mut BTreeSet<Ordinal>) -> u16 {
        let mut partition = self.set.partition.min(self.set.replicas);
        let is_late =
            |replica: &&Replica| (partition..self.target).contains(&replica.ordinal.0) && !self.is_back(replica);
        let mut on_their_way = self.replicas().iter().filter(is_late).count();
        let mut may_fall = true;
        let below = self.set.partition;
        for replica in self.replicas().iter().rev().filter(|replica| replica.ordinal.0 < below) {
            if replica.is_outdated() || !self.is_back(replica) {
                if on_their_way >= usize::from(self.situation.max_unavailable) {
                    break;
                }
                on_their_way += 1;
                match self.dismiss(replica, outgoing) {
                    Dismissal::Gone => {}
                    Dismissal::Going => may_fall = false,
                    // The partition cannot pass it, and those below are needed.
                    Dismissal::Staying => break,
                }
            }
            if may_fall {
                partition = replica.ordinal.0;
            }
        }
        partition
    }

    /// Whether a replica does all that it is there for.
    fn is_back(&self, replica: &Replica) -> bool {
        replica.serves() && !replica.is_outdated() && (replica.named || self.situation.sources == Sources::None)
    }

    /// Takes a replica out of the data sources, if others answer in its place.
    fn dismiss(&mut self, replica: &Replica, outgoing: &mut BTreeSet<Ordinal>) -> Dismissal {
        if replica.is_idle() {
            return Dismissal::Gone;
        }
        let ordinal = replica.ordinal;
        if replica.serves() && !self.has_another(replica, outgoing) {
            self.tell(Progress::Alone(ordinal));
            return Dismissal::Staying;
        }
        outgoing.insert(ordinal);
        match self.situation.sources {
            Sources::Blocked if replica.named => self.tell(Progress::Blocked(ordinal)),
            Sources::None | Sources::Told | Sources::Blocked if replica.named => {
                self.tell(Progress::Withdrawing(ordinal));
            }
            Sources::Told | Sources::Blocked if !replica.quiet => {
                self.tell(Progress::Quieting(ordinal));
                self.look_again(QUIET_POLL);
            }
            Sources::None | Sources::Told | Sources::Blocked => return Dismissal::Gone,
        }
        Dismissal::Going
    }

    /// Whether another replica, which stays, answers the calls of this one. Without data sources nobody tells callers where
    /// to go, and a replica that is alone for good is replaced all the same.
    fn has_another(&self, replica: &Replica, outgoing: &BTreeSet<Ordinal>) -> bool {
        let is_other = |other: &&Replica| other.ordinal != replica.ordinal && !outgoing.contains(&other.ordinal);
        let mut others = self.replicas().iter().filter(is_other);
        match self.situation.sources {
            Sources::None => others.clone().any(Replica::serves) || others.all(Replica::is_unreachable),
            Sources::Told | Sources::Blocked => others.any(|other| other.serves() && other.named),
        }
    }

    /// Pods that do not answer and shall not exist: of a template that was replaced, where the newest is due, or where the
    /// one before it answered.
    fn stuck(&self) -> Vec<(Ordinal, Removal)> {
        let is_due = |replica: &Replica| match replica.template {
            Template::Newest => false,
            Template::Proven => replica.ordinal.0 >= self.set.partition,
            Template::Superseded => true,
        };
        let is_stuck = |replica: &&Replica| matches!(replica.life, Life::Unready { .. }) && is_due(replica);
        let stuck = self.replicas().iter().filter(is_stuck);
        stuck.map(|replica| (replica.ordinal, Removal::Stuck)).collect()
    }

    /// Who is named: those that are and may stay, and those that answer. Never nobody, if somebody was.
    fn named_now(&mut self, outgoing: &BTreeSet<Ordinal>) -> BTreeSet<Ordinal> {
        let before = named(self.replicas());
        let joiners = self.joiners(&before, outgoing);
        let stays =
            |replica: &&Replica| replica.named && !outgoing.contains(&replica.ordinal) && replica.is_reachable();
        let stay = self.replicas().iter().filter(stays).map(|replica| replica.ordinal);
        let mut named: BTreeSet<_> = stay.chain(joiners).collect();
        if named.is_empty() {
            // Nobody answers. The names that stand there are as good as any.
            named = before;
        }
        for replica in self
            .replicas()
            .iter()
            .filter(|replica| named.contains(&replica.ordinal))
        {
            if let Life::Unready { lasting } = replica.life
                && lasting < UNREACHABLE
            {
                self.look_again(UNREACHABLE.saturating_sub(lasting));
            }
        }
        named
    }

    /// Replicas that answer. The first time they wait for each other, for a while.
    fn joiners(&mut self, before: &BTreeSet<Ordinal>, outgoing: &BTreeSet<Ordinal>) -> Vec<Ordinal> {
        let stays = |replica: &&Replica| !outgoing.contains(&replica.ordinal) && !self.is_doomed(replica);
        let ready = self
            .replicas()
            .iter()
            .filter(stays)
            .filter_map(|replica| match replica.life {
                Life::Ready { lasting } => Some((replica, lasting)),
                Life::Absent | Life::Unready { .. } | Life::Leaving { .. } => None,
            });
        let ready: Vec<_> = ready.collect();
        let longest = ready.iter().map(|(_, lasting)| *lasting).max().unwrap_or_default();
        let is_whole = ready.len() >= usize::from(self.situation.wanted);
        if before.is_empty() && !is_whole && longest < FIRST_REGISTRATION {
            if !ready.is_empty() {
                self.look_again(FIRST_REGISTRATION.saturating_sub(longest));
            }
            return Vec::new();
        }
        let fit = ready.into_iter().filter(|(replica, _)| replica.fit);
        fit.map(|(replica, _)| replica.ordinal).collect()
    }

    /// Whether the `StatefulSet` controller is about to replace the pod, or may be.
    fn is_doomed(&self, replica: &Replica) -> bool {
        !self.set.is_observed || (replica.is_outdated() && replica.ordinal.0 >= self.set.partition)
    }

    /// Tells of the first replica that does not answer.
    fn await_starting(&mut self) {
        let wanted = |replica: &&Replica| replica.ordinal.0 < self.target;
        let silent = self.replicas().iter().filter(wanted).find(|replica| !replica.serves());
        if let Some(replica) = silent {
            self.tell(Progress::Starting(replica.ordinal));
        }
    }

    /// Tells of the first replica that is not all that it is there for, and of those that are not there yet.
    fn await_joining(&mut self) {
        let wanted = |replica: &&Replica| replica.ordinal.0 < self.target;
        let late = self
            .replicas()
            .iter()
            .filter(wanted)
            .find(|replica| !self.is_back(replica));
        if let Some(replica) = late {
            let ordinal = replica.ordinal;
            self.tell(match self.situation.sources {
                Sources::Blocked if !replica.named => Progress::Blocked(ordinal),
                Sources::Told if !replica.named => Progress::Joining(ordinal),
                Sources::None | Sources::Told | Sources::Blocked => Progress::Starting(ordinal),
            });
        }
        if self.set.replicas < self.target {
            self.tell(Progress::Starting(Ordinal(self.set.replicas)));
        }
    }

    /// What is told first counts: it is what the roll-out waits for.
    fn tell(&mut self, progress: Progress) {
        if self.progress == Progress::Done {
            self.progress = progress;
        }
    }

    fn look_again(&mut self, after: Duration) {
        self.again = Some(self.again.map_or(after, |earlier| earlier.min(after)));
    }
}
