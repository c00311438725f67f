//! Twenty times more calls than the cores can do: what is accepted ends in time, the rest is refused at once.

use std::time::Duration;

use anyhow::bail;

use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Work, flood};
use crate::machine::{Watch, cores};
use crate::server::{Maker, Setup};

const CALL_MS: f64 = 50.0;
const BUDGET_MIB: i64 = 64;
const QUEUED_PER_SLOT: usize = 2;

#[expect(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "cores are few")]
pub(super) fn run(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let slots = cores();
    let mut setup = Setup::default();
    setup.ours.insert("task_threads".to_owned(), (slots as i64).into());
    setup
        .ours
        .insert("task_queue_limit".to_owned(), ((QUEUED_PER_SLOT * slots) as i64).into());
    setup
        .ours
        .insert("task_result_bytes".to_owned(), (BUDGET_MIB << 20).into());
    let server = lab.start(Maker::Ours, &setup)?;
    let watch = Watch::start(server.pid());
    let rate = 20.0 * slots as f64 / (CALL_MS / 1e3);
    let length = lab.choose(Duration::from_mins(1), Duration::from_secs(5));
    let outcome = flood(&server.target, &Work::cpu(), rate, length)?;
    let peak = watch.peak()?;
    if outcome.accepted == 0 {
        bail!("no call was accepted: {:?}", outcome.failures);
    }
    let possible = slots as f64 / (CALL_MS / 1e3) * length.as_secs_f64();
    let budget = BUDGET_MIB as f64;
    for failure in &outcome.failures {
        lab.progress.warn(&format!("overload: {failure}"));
    }
    let lower = |name: &str, unit, value: f64, goal| Figure::single(name, unit, Better::Lower, &[value], goal);
    Ok(vec![
        lower(
            "overload: calls that failed otherwise than by BACKPRESSURE",
            "calls",
            outcome.failed as f64,
            Some(Goal::at(0.0)),
        ),
        lower(
            "overload: p99 of accepted calls",
            "ms",
            outcome.latency_ms(0.99),
            Some(Goal::at((QUEUED_PER_SLOT as f64 + 2.0) * CALL_MS)),
        ),
        lower("overload: memory", "MiB", peak.charged, Some(Goal::at(budget + 64.0))),
        Figure::single(
            "overload: accepted, of what the cores can do",
            "share",
            Better::Higher,
            &[outcome.accepted as f64 / possible],
            None,
        ),
        lower("overload: refused", "calls", outcome.refused as f64, None),
    ])
}
