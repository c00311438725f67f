//! A server that nobody calls: how soon it is ready, and what it takes.

use std::thread;
use std::time::Duration;

use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::machine::memory;
use crate::server::{Maker, Setup};

const STARTS: usize = 5;
const SETTLED: Duration = Duration::from_secs(1);

pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let [mut start_up, mut resident] = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for _ in 0..lab.choose(STARTS, 2) {
        for (index, maker) in Maker::BOTH.into_iter().enumerate() {
            let server = lab.start(maker, &Setup::default())?;
            start_up[index].push(server.start_up.as_secs_f64() * 1e3);
            thread::sleep(lab.choose(SETTLED, SETTLED / 5));
            resident[index].push(memory(&server.processes()).resident);
        }
    }
    let figure = |name: &str, unit, [ours, vendor]: &[Vec<f64>; 2], goal| {
        Figure::paired(
            name.to_owned(),
            unit,
            Better::Lower,
            (ours, vendor),
            "vendor",
            Some(goal),
        )
    };
    Ok(vec![
        figure("start to /ready", "ms", &start_up, Goal::at(1.0 / 60.0).or(1.0 / 40.0)),
        figure("idle RSS", "MiB", &resident, Goal::at(1.0 / 6.0)),
    ])
}
