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

pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let server = lab.start(Maker::Ours, &Setup::default())?;
    let vendor = lab.start(Maker::Vendor, &Setup::default())?;
    let mut ours: [Vec<Sample>; 3] = Default::default();
    let mut theirs: [Vec<Sample>; 3] = Default::default();
    for repetition in 0..lab.repetitions {
        for (index, beside) in [Beside::Nothing, Beside::Sleepers, Beside::Computing]
            .into_iter()
            .enumerate()
        {
            ours[index].push(beside.measure(lab, &server)?);
            // The vendor's figures are there to compare; nothing is asked of ours by them.
            if repetition == 0 {
                theirs[index].push(beside.measure(lab, &vendor)?);
            }
        }
    }
    let [idle, sleepers, computing] = &ours;
    let figure = |name: &str, metric: Metric, beside: &[Sample], goal: Goal| {
        let values = |samples: &[Sample]| samples.iter().map(|sample| metric.of(sample)).collect::<Vec<_>>();
        let paired = (&values(beside)[..], &values(idle)[..]);
        let name = format!("tiny c=2 {name}: {}", metric.name());
        Figure::paired(name, metric.unit(), metric.better(), paired, "itself, idle", Some(goal))
    };
    let p99 = |name: &str, samples: &[Sample], goal| {
        let values: Vec<_> = samples.iter().map(|sample| sample.p99_ms).collect();
        Figure::single(format!("tiny c=2 {name}: p99"), "ms", Better::Lower, &values, goal)
    };
    let calls = |name: &str, [_, sleepers, computing]: &[Vec<Sample>; 3]| {
        [("64 sleepers", sleepers), ("8 cpu calls", computing)].map(|(beside, samples)| {
            let values: Vec<_> = samples.iter().map(|sample| Metric::Calls.of(sample)).collect();
            Figure::single(
                format!("{name} tiny c=2 beside {beside}: calls"),
                "calls/s",
                Better::Higher,
                &values,
                None,
            )
        })
    };
    let mut figures = vec![
        figure("beside 64 sleepers", Metric::Calls, sleepers, Goal::at(0.92).or(0.90)),
        figure("beside 8 cpu calls", Metric::Calls, computing, Goal::at(0.23).or(0.20)),
        figure("beside 8 cpu calls", Metric::Median, computing, Goal::at(1.8)),
        p99("beside 8 cpu calls", computing, Some(Goal::at(5.3))),
    ];
    figures.extend(calls("vendor:", &theirs));
    Ok(figures)
}

impl Beside {
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
