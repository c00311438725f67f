//! What is not a matter of two servers in turns: starting, keeping, refusing, and doing several things at once.

mod idle;
mod keeping;
mod mixed;
mod overhead;
mod overload;
mod pyarrow;
mod soak;
mod waiting;

pub(crate) use soak::run as soak;

use crate::figure::Figure;
use crate::lab::Lab;

/// A measurement with a course of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// It is chosen by this name.
    pub(crate) group: &'static str,
    /// What it measures.
    pub(crate) about: &'static str,
    run: fn(&Lab) -> anyhow::Result<Vec<Figure>>,
}

impl Scenario {
    const fn new(group: &'static str, about: &'static str, run: fn(&Lab) -> anyhow::Result<Vec<Figure>>) -> Self {
        Self { group, about, run }
    }

    pub(crate) fn run(self, lab: &Lab) -> anyhow::Result<Vec<Figure>> {
        lab.progress.step(self.about);
        (self.run)(lab)
    }
}

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario::new("mixed", "small calls beside sleepers and cpu calls", mixed::run),
    Scenario::new("sleep", "the threads of sleeping calls", waiting::run),
    Scenario::new("pyarrow", "a pyarrow client", pyarrow::run),
    Scenario::new("idle", "start-up and idle memory", idle::run),
    Scenario::new("retain", "results that nobody reads", keeping::retain),
    Scenario::new("retention", "results of four times the budget", keeping::retention),
    Scenario::new(
        "overload",
        "twenty times more calls than the cores can do",
        overload::run,
    ),
    Scenario::new("python-mixed", "small calls in Python beside others", mixed::python),
    Scenario::new(
        "python-retention",
        "results in Python of four times the budget",
        keeping::python,
    ),
    Scenario::new("python-overhead", "what a worker costs a call", overhead::run),
];
