//! Small calls beside calls of others that wait or compute.

use std::thread;
use std::time::Duration;

use anyhow::anyhow;

use crate::client::Frame;
use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Load, Window, Work, drive};
use crate::sample::{Metric, Sample, Timing, measure};
use crate::server::{Maker, Server, Setup};

const CLIENTS: usize = 2;

/// What goes on beside the small calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Sleepers,
    Computing,
}

/// Functions in Rust.
pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let found = Found::measure(lab, Maker::BOTH)?;
    let mut figures = vec![
        found.of_idle(Beside::Sleepers, Metric::Calls, Goal::at(0.92).or(0.90)),
        found.of_idle(Beside::Computing, Metric::Calls, Goal::at(0.23).or(0.20)),
        found.of_idle(Beside::Computing, Metric::Median, Goal::at(1.8)),
        found.tail(Goal::at(5.3)),
    ];
    figures.extend(found.vendors());
    Ok(figures)
}

/// Functions in Python, in both servers.
pub(super) fn python(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let found = Found::measure(lab, Maker::PYTHON)?;
    let mut figures = vec![
        found.of_idle(Beside::Sleepers, Metric::Calls, Goal::at(0.8)),
        found.of_idle(Beside::Computing, Metric::Calls, Goal::at(0.2)),
        found.of_idle(Beside::Computing, Metric::Median, Goal::at(2.0)),
    ];
    figures.extend(found.vendors());
    Ok(figures)
}

/// Samples of small calls, by what went on beside them.
struct Found {
    prefix: &'static str,
    ours: [Vec<Sample>; 3],
    vendor: [Vec<Sample>; 3],
}

impl Found {
    fn measure(lab: &Lab, makers: [Maker; 2]) -> anyhow::Result<Self> {
        let [ours, vendor] = makers;
        let mut found = Self {
            prefix: if makers == Maker::PYTHON { "Python: " } else { "" },
            ours: Default::default(),
            vendor: Default::default(),
        };
        let (ours, vendor) = (
            lab.start(ours, &Setup::default())?,
            lab.start(vendor, &Setup::default())?,
        );
        for repetition in 0..lab.repetitions {
            for beside in Beside::ALL {
                found.ours[beside as usize].push(beside.measure(lab, &ours)?);
                // The vendor's figures are there to compare; nothing is asked of ours by them.
                if repetition == 0 {
                    found.vendor[beside as usize].push(beside.measure(lab, &vendor)?);
                }
            }
        }
        Ok(found)
    }

    /// Beside the calls of others, and alone.
    fn of_idle(&self, beside: Beside, metric: Metric, goal: Goal) -> Figure {
        let values = |beside: Beside| {
            let samples = self.ours[beside as usize].iter();
            samples.map(|sample| metric.of(sample)).collect::<Vec<_>>()
        };
        let paired = (&values(beside)[..], &values(Beside::Nothing)[..]);
        let name = format!("{}tiny c=2 beside {}: {}", self.prefix, beside.name(), metric.name());
        Figure::paired(name, metric.unit(), metric.better(), paired, "itself, idle", Some(goal))
    }

    fn tail(&self, goal: Goal) -> Figure {
        let beside = Beside::Computing;
        let values: Vec<_> = self.ours[beside as usize].iter().map(|sample| sample.p99_ms).collect();
        let name = format!("{}tiny c=2 beside {}: p99", self.prefix, beside.name());
        Figure::single(name, "ms", Better::Lower, &values, Some(goal))
    }

    fn vendors(&self) -> impl Iterator<Item = Figure> {
        Beside::ALL.into_iter().map(|beside| {
            let samples = &self.vendor[beside as usize];
            let values: Vec<_> = samples.iter().map(|sample| Metric::Calls.of(sample)).collect();
            let name = format!("vendor: {}tiny c=2 beside {}: calls", self.prefix, beside.name());
            Figure::single(name, "calls/s", Better::Higher, &values, None)
        })
    }
}

impl Beside {
    const ALL: [Self; 3] = [Self::Nothing, Self::Sleepers, Self::Computing];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Sleepers => "64 sleepers",
            Self::Computing => "8 cpu calls",
        }
    }

    /// The load that goes on meanwhile.
    fn load(self) -> Option<Load> {
        let (work, clients) = match self {
            Self::Nothing => return None,
            Self::Sleepers => (Work::sleep(1_000), 64),
            Self::Computing => (Work::cpu(), 8),
        };
        Some(Load {
            work,
            clients,
            frame: Frame::Small,
            bulk: false,
        })
    }

    fn measure(self, lab: &Lab, server: &Server) -> anyhow::Result<Sample> {
        let timing = Timing {
            warm_up: lab.choose(Duration::from_millis(1_500), Duration::from_millis(500)),
            window: lab.choose(Duration::from_secs(3), Duration::from_millis(500)),
        };
        let small = Load {
            work: Work::tiny(),
            clients: CLIENTS,
            frame: Frame::Small,
            bulk: false,
        };
        let processes = server.processes();
        thread::scope(|scope| {
            let beside = self.load().map(|load| {
                let window = Window::after(timing.warm_up, timing.window);
                scope.spawn(move || drive(&server.target, &load, window))
            });
            let sample = measure(&server.target, &small, timing, &processes, &processes);
            if let Some(beside) = beside {
                beside.join().map_err(|_| anyhow!("the load beside it panicked"))??;
            }
            sample
        })
    }
}
