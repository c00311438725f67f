//! What a call costs more because its function is in Python: the way to a worker and back.

use crate::client::Frame;
use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Load, Step, Work};
use crate::sample::measure;
use crate::server::{Maker, Setup};

pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let load = Load {
        work: Work {
            step: Step::Ask,
            ..Work::tiny()
        },
        clients: 1,
        frame: Frame::Small,
        bulk: false,
    };
    let servers = [Maker::Ours, Maker::Workers].map(|maker| lab.start(maker, &Setup::default()));
    let [rust, python] = servers;
    let (rust, python) = (rust?, python?);
    let mut more = Vec::new();
    for _ in 0..lab.repetitions {
        let median = |server: &crate::server::Server| {
            let processes = server.processes();
            measure(&server.target, &load, lab.timing(), &processes, &processes).map(|sample| sample.p50_ms)
        };
        let (rust, python) = (median(&rust)?, median(&python)?);
        more.push(python - rust);
    }
    Ok(vec![Figure::single(
        "Python: GetFlightInfo c=1, p50 more than of the same function in Rust",
        "ms",
        Better::Lower,
        &more,
        Some(Goal::at(0.3)),
    )])
}
