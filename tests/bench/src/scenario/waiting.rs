//! 256 calls that wait, and the threads that the server takes for them.

use std::thread;

use anyhow::anyhow;

use crate::client::Frame;
use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Load, Window, Work, drive};
use crate::machine::threads;
use crate::plan::Stage;
use crate::server::Maker;

const CLIENTS: usize = 256;
/// A few come and go as a runtime sees fit; a thread for each call is far above.
const FEW: f64 = 4.0;

pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let server = lab.start(Maker::Ours, &Stage::Waiting.setup())?;
    let load = Load {
        work: Work::sleep(100),
        clients: CLIENTS,
        frame: Frame::Small,
        bulk: false,
    };
    let timing = lab.timing();
    let before = threads(&server.processes());
    let window = Window::after(timing.warm_up, timing.window);
    let meanwhile = thread::scope(|scope| {
        let calling = scope.spawn(|| drive(&server.target, &load, window));
        thread::sleep(timing.warm_up + timing.window / 2);
        let meanwhile = threads(&server.processes());
        calling.join().map_err(|_| anyhow!("the load client panicked"))??;
        anyhow::Ok(meanwhile)
    })?;
    Ok(vec![Figure::single(
        "256 sleeping calls: threads more than before",
        "threads",
        Better::Lower,
        &[meanwhile - before],
        Some(Goal::at(FEW)),
    )])
}
