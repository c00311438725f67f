//! One replica, as far as a roll-out is concerned.

use std::time::Duration;

use crate::names::Ordinal;

/// A replica that does not answer for so long is no longer named.
pub(super) const UNREACHABLE: Duration = Duration::from_secs(30);

/// One replica as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Which one.
    pub ordinal: Ordinal,
    /// What its pod does.
    pub life: Life,
    /// The template that its pod was made from. Meaningless without a pod.
    pub template: Template,
    /// Whether a data source names it.
    pub named: bool,
    /// Whether it answered as GoodData would meet it, when it was asked. Nobody asks those that are named.
    pub fit: bool,
    /// Whether it has had no new call for the propagation delay.
    pub quiet: bool,
}

/// The template that a pod was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Template {
    /// The one that the `StatefulSet` has now.
    Newest,
    /// The one of the last roll-out that came to its end: what pods below the partition are made from.
    Proven,
    /// One of a roll-out that another one took the place of.
    Superseded,
}

/// What the pod of a replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// There is none.
    Absent,
    /// It starts, or does not answer.
    Unready {
        /// For how long.
        lasting: Duration,
    },
    /// It answers calls.
    Ready {
        /// For how long.
        lasting: Duration,
    },
    /// It was asked to end. It may still answer.
    Leaving {
        /// Its time is over, and it is still there: its node is lost.
        overdue: bool,
    },
}

impl Replica {
    /// Whether calls are answered here, and will be.
    #[must_use]
    pub const fn serves(&self) -> bool {
        matches!(self.life, Life::Ready { .. })
    }

    /// Whether there is a pod of an older template.
    pub(super) const fn is_outdated(&self) -> bool {
        !matches!(self.life, Life::Absent) && !matches!(self.template, Template::Newest)
    }

    /// Whether nobody would miss its pod: it does not answer, and has not for so long that it will not by itself, or no
    /// data source says that it does.
    pub(super) fn is_idle(&self) -> bool {
        match self.life {
            Life::Ready { .. } => false,
            Life::Unready { .. } => !self.named || self.is_unreachable(),
            Life::Absent | Life::Leaving { .. } => true,
        }
    }

    /// Whether it has a pod that does not answer, and has not for so long that it will not by itself.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self.life, Life::Unready { lasting } if lasting >= UNREACHABLE)
    }

    /// Whether a data source that names it may go on doing so. A pod that was asked to end still answers, and its callers
    /// shall learn of its end before it comes; a new process in an old pod mostly answers again within seconds.
    pub(super) fn is_reachable(&self) -> bool {
        match self.life {
            Life::Ready { .. } => true,
            Life::Unready { lasting } => lasting < UNREACHABLE,
            Life::Absent | Life::Leaving { .. } => false,
        }
    }
}
