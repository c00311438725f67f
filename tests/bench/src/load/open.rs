//! Open loop: calls that begin when their time comes, whether or not the server keeps up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval};

use super::closed::runtime;
use super::work::{Work, call};
use crate::client::{BACKPRESSURE, Connection, Frame, Target, connect};

const CONNECTIONS: usize = 8;
const TICK: Duration = Duration::from_millis(5);

/// What became of the calls of a flood.
pub(crate) struct Flood {
    /// Calls that ended with their rows.
    pub(crate) accepted: u64,
    /// Calls that were answered with BACKPRESSURE.
    pub(crate) refused: u64,
    /// Microseconds of the accepted ones.
    latency: Histogram<u64>,
    /// Calls that ended otherwise.
    pub(crate) failed: u64,
    /// How the first few of them ended.
    pub(crate) failures: Vec<String>,
}

const FAILURES_KEPT: usize = 5;

impl Flood {
    /// Milliseconds that this share of the accepted calls did not exceed.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a call are few")]
    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1_000.0
    }
}

/// Begins `rate` calls a second for so long, then waits for the last of them.
pub(crate) fn flood(target: &Target, work: &Work, rate: f64, length: Duration) -> anyhow::Result<Flood> {
    let flood = Rc::new(RefCell::new(Flood {
        accepted: 0,
        refused: 0,
        latency: Histogram::new_with_bounds(1, 600_000_000, 3)?,
        failed: 0,
        failures: Vec::new(),
    }));
    runtime()?.block_on(LocalSet::new().run_until(begin(target, work, rate, length, &flood)))?;
    Rc::into_inner(flood)
        .map(RefCell::into_inner)
        .context("a call has not ended")
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of calls that are due"
)]
async fn begin(
    target: &Target,
    work: &Work,
    rate: f64,
    length: Duration,
    flood: &Rc<RefCell<Flood>>,
) -> anyhow::Result<()> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(connect(target, Frame::Small).await?);
    }
    let mut calls = JoinSet::new();
    let mut begun = 0_usize;
    let start = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while start.elapsed() < length {
        ticks.tick().await;
        let due = (start.elapsed().as_secs_f64() * rate) as usize;
        for index in begun..due {
            let connection = connections[index % CONNECTIONS].clone();
            calls.spawn_local(one(connection, work.clone(), Rc::clone(flood)));
        }
        begun = due;
        while calls.try_join_next().is_some() {}
    }
    while let Some(ended) = calls.join_next().await {
        ended.context("a client panicked")?;
    }
    Ok(())
}

async fn one(connection: Connection, work: Work, flood: Rc<RefCell<Flood>>) {
    let began = Instant::now();
    let outcome = call(&connection, &work, |_| ()).await;
    let mut flood = flood.borrow_mut();
    match outcome {
        Ok(()) => {
            flood.accepted += 1;
            let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            flood.latency.saturating_record(micros);
        }
        Err(error) if error.code() == Some(BACKPRESSURE) => flood.refused += 1,
        Err(error) => {
            flood.failed += 1;
            if flood.failures.len() < FAILURES_KEPT {
                flood.failures.push(error.to_string());
            }
        }
    }
}
