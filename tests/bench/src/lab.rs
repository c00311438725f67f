//! What every measurement needs: programs, durations, and somebody to tell about progress.

use std::time::Duration;

use crate::progress::Progress;
use crate::sample::Timing;
use crate::server::{Installation, Maker, Server, Setup};

/// How thoroughly is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Long enough for figures that mean something.
    Full,
    /// Only whether everything works.
    Quick,
}

/// The bench at work.
pub(crate) struct Lab {
    pub(crate) installation: Installation,
    pub(crate) effort: Effort,
    pub(crate) repetitions: usize,
    pub(crate) progress: Progress,
}

/// Cores that others may use before a repetition is thrown away.
const QUIET: f64 = 0.1;

impl Lab {
    /// The one or the other.
    pub(crate) const fn choose<T: Copy>(&self, full: T, quick: T) -> T {
        match self.effort {
            Effort::Full => full,
            Effort::Quick => quick,
        }
    }

    /// How long one measurement takes.
    pub(crate) const fn timing(&self) -> Timing {
        Timing {
            warm_up: Duration::from_millis(self.choose(200, 100)),
            window: Duration::from_millis(self.choose(2_000, 300)),
        }
    }

    /// Cores that others may use in a repetition that counts.
    pub(crate) const fn quiet(&self) -> f64 {
        self.choose(QUIET, f64::INFINITY)
    }

    pub(crate) fn start(&self, maker: Maker, setup: &Setup) -> anyhow::Result<Server> {
        Server::start(maker, &self.installation, setup)
    }
}
