//! Mixed calls for a long time, with cancels, disconnects and panicking functions: nothing grows, nothing is lost.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use flexconnect_bench as tables;
use serde_json::json;
use tokio::task::LocalSet;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::client::{
    CANCELLED, CallError, Connection, ErrorInfo, FAILED, Frame, IN_PROGRESS, Method, Target, connect, framed, unary,
};
use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Step, Work, call, runtime};
use crate::machine::{Memory, memory};
use crate::server::{Maker, Server, Setup};

const TTL_SECONDS: i64 = 10;
const POLLING_MS: i64 = 100;
/// No call of the soak takes this long, unless its task was lost.
const LOST: Duration = Duration::from_mins(1);
const MINUTE: Duration = Duration::from_mins(1);
/// Everything that must be zero when everybody has gone.
const GAUGES: [&str; 9] = [
    "gdfs_task_queue",
    "gdfs_close_queue",
    "flexconnect_tasks_waiting",
    "flexconnect_tasks_running",
    "flexconnect_streams_open",
    "flexconnect_results",
    "flexconnect_result_bytes",
    "flexconnect_leaked_threads",
    "flexconnect_memory_budget_used_bytes",
];

/// What one client does all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Calls a function and reads its result.
    Reads(&'static str),
    /// Computes.
    Computes,
    /// Calls a function that fails or panics.
    Fails(&'static str),
    /// Begins a call, polls, and cancels it.
    Cancels,
    /// Goes away while it waits for its call.
    LeavesWaiting,
    /// Goes away while it reads a stream.
    LeavesReading,
}

const CLIENTS: [Habit; 12] = [
    Habit::Reads("Tiny"),
    Habit::Reads("Tiny"),
    Habit::Reads("SmallBatches"),
    Habit::Reads("Blob"),
    Habit::Reads("Stream"),
    Habit::Computes,
    Habit::Fails("Fail"),
    Habit::Fails("Panic"),
    Habit::Cancels,
    Habit::Cancels,
    Habit::LeavesWaiting,
    Habit::LeavesReading,
];

impl Habit {
    /// From one call to the next at least: what is stored at a time must depend on the server alone, not on how fast the
    /// machine lets clients call.
    fn interval(self) -> Duration {
        match self {
            // Two MiB each, for the ten seconds that results live.
            Self::Reads("Blob") => Duration::from_millis(100),
            // A quarter of a GB each.
            Self::Reads("Stream") => Duration::from_millis(500),
            Self::Reads(_) | Self::Fails(_) | Self::Cancels => Duration::from_millis(10),
            Self::Computes | Self::LeavesWaiting | Self::LeavesReading => Duration::from_millis(200),
        }
    }
}

/// Soaks our server for so many minutes, at least one.
pub(crate) fn run(lab: &Lab, minutes: u32) -> anyhow::Result<Vec<Figure>> {
    let mut setup = Setup::default();
    setup
        .server
        .insert("task_result_ttl_sec".to_owned(), TTL_SECONDS.into());
    setup
        .flexconnect
        .insert("polling_interval_ms".to_owned(), POLLING_MS.into());
    let server = lab.start(Maker::Ours, &setup)?;
    let (counted, charged) = thread::scope(|scope| {
        let clients = scope.spawn(|| runtime()?.block_on(clients(&server.target, MINUTE * minutes)));
        let charged = watch(lab, &server, minutes);
        let counted = clients.join().ok().context("a client panicked")??;
        anyhow::Ok((counted, charged))
    })?;
    let left = await_idle(&server)?;
    server
        .stop()
        .context("the server did not end in order after the soak")?;
    let [.., last] = charged.as_slice() else {
        bail!("a soak takes at least a minute");
    };
    let reference = charged[charged.len().min(3) - 1];
    let grown = Figure::paired(
        "soak: memory in the last minute, of the third".to_owned(),
        "MiB",
        Better::Lower,
        (&[*last], &[reference]),
        "third minute",
        Some(Goal::at(1.05)),
    );
    Ok(vec![
        grown,
        Figure::single(
            "soak: sum of the gauges at the end",
            "count",
            Better::Lower,
            &[left],
            Some(Goal::at(0.0)),
        ),
        Figure::single("soak: calls", "calls", Better::Higher, &[counted], None),
    ])
}

/// The mean memory of each minute.
fn watch(lab: &Lab, server: &Server, minutes: u32) -> Vec<f64> {
    let processes = server.processes();
    (1..=minutes)
        .map(|minute| {
            lab.progress.step(&format!("soak, minute {minute} of {minutes}"));
            let mut samples = Vec::new();
            let began = Instant::now();
            while began.elapsed() < MINUTE {
                let Memory { charged, .. } = memory(&processes);
                samples.push(charged);
                thread::sleep(Duration::from_millis(250));
            }
            samples.iter().sum::<f64>() / f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX))
        })
        .collect()
}

/// Waits until the results have expired; what the gauges add up to then.
fn await_idle(server: &Server) -> anyhow::Result<f64> {
    let patience = Duration::from_secs(TTL_SECONDS.unsigned_abs() + 10);
    let began = Instant::now();
    loop {
        let left = gauges(&server.scrape()?)?;
        if left.abs() < f64::EPSILON || began.elapsed() > patience {
            return Ok(left);
        }
        thread::sleep(Duration::from_millis(250));
    }
}

/// The sum of all series of [`GAUGES`], each of which must be there.
fn gauges(metrics: &str) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for gauge in GAUGES {
        let mut values = metrics.lines().filter_map(|line| {
            let rest = line.strip_prefix(gauge)?;
            (rest.starts_with([' ', '{'])).then(|| rest.rsplit_once(' ')?.1.parse::<f64>().ok())?
        });
        sum += values
            .next()
            .with_context(|| format!("the server has no metric {gauge}"))?
            + values.sum::<f64>();
    }
    Ok(sum)
}

/// Lets all clients go about their habits; how many calls they made.
async fn clients(target: &Target, length: Duration) -> anyhow::Result<f64> {
    let calls = Rc::new(Cell::new(0.0));
    let end = Instant::now() + length;
    let local = LocalSet::new();
    let running = CLIENTS.map(|habit| {
        let (target, calls) = (target.clone(), Rc::clone(&calls));
        local.spawn_local(async move {
            let mut turns = interval(habit.interval());
            turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while Instant::now() < end {
                visit(habit, &target, &calls, end, &mut turns)
                    .await
                    .with_context(|| format!("{habit:?}"))?;
            }
            anyhow::Ok(())
        })
    });
    local
        .run_until(async {
            for client in running {
                client.await.context("a client panicked")??;
            }
            anyhow::Ok(())
        })
        .await?;
    Ok(calls.get())
}

/// Calls made on one connection before the next is opened.
const CALLS_PER_CONNECTION: u32 = 50;

/// Connects, makes some calls, and goes away.
async fn visit(
    habit: Habit,
    target: &Target,
    calls: &Cell<f64>,
    end: Instant,
    turns: &mut Interval,
) -> anyhow::Result<()> {
    let connection = connect(target, Frame::Small).await?;
    let count = || calls.set(calls.get() + 1.0);
    match habit {
        Habit::LeavesWaiting => {
            turns.tick().await;
            let work = Work::sleep(30_000);
            // Going away is dropping the connection with the call on it.
            let waited = timeout(Duration::from_millis(20), call(&connection, &work, |_| ())).await;
            count();
            if waited.is_ok() {
                bail!("a call that sleeps for 30 s ended at once");
            }
        }
        Habit::LeavesReading => {
            turns.tick().await;
            let work = read("Stream");
            // Whether it is through with the stream by then does not matter.
            let _ = timeout(Duration::from_millis(20), call(&connection, &work, |_| ())).await;
            count();
        }
        Habit::Reads(_) | Habit::Computes | Habit::Fails(_) | Habit::Cancels => {
            for _ in 0..CALLS_PER_CONNECTION {
                turns.tick().await;
                timeout(LOST, stay(habit, &connection))
                    .await
                    .with_context(|| format!("no answer within {LOST:?}: the task was lost"))??;
                count();
                if Instant::now() >= end {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// One call of a client that waits for its end.
async fn stay(habit: Habit, connection: &Connection) -> anyhow::Result<()> {
    match habit {
        Habit::Reads(function) => call(connection, &read(function), |_| ()).await?,
        Habit::Computes => call(connection, &Work::cpu(), |_| ()).await?,
        Habit::Fails(function) => {
            let work = Work::call(Step::Ask, function, &json!({}), 0);
            expect(call(connection, &work, |_| ()).await, FAILED)?;
        }
        Habit::Cancels => {
            let polling = connection.polling();
            let asked = unary(&polling, Method::GetFlightInfo, Work::sleep(30_000).request).await;
            let cancel = expect(asked, IN_PROGRESS)?.context("no cancel descriptor")?;
            expect(unary(&polling, Method::GetFlightInfo, framed(&cancel)).await, CANCELLED)?;
        }
        Habit::LeavesWaiting | Habit::LeavesReading => bail!("{habit:?} does not stay"),
    }
    Ok(())
}

/// A call must have failed with this code; the descriptor to cancel it, if the server gave one.
fn expect<T>(outcome: Result<T, CallError>, code: u64) -> anyhow::Result<Option<Vec<u8>>> {
    match outcome {
        Ok(_) => bail!("the call ended well where code {code} was expected"),
        Err(error) if error.code() == Some(code) => Ok(error.info().and_then(ErrorInfo::cancel_descriptor)),
        Err(error) => Err(error).context(format!("code {code} was expected")),
    }
}

fn read(function: &str) -> Work {
    let (parameters, rows) = match function {
        "SmallBatches" => (json!({}), tables::SMALL_BATCHES * tables::SMALL_BATCH_ROWS),
        "Stream" => (json!({}), tables::WIDE_BATCHES * tables::WIDE_BATCH_ROWS),
        "Blob" => (json!({"mib": 2, "seed": 1}), 2 * tables::BLOB_ROWS_PER_MIB),
        _ => (json!({}), tables::TINY_ROWS),
    };
    Work::call(Step::AskAndRead, function, &parameters, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_summed_over_their_series_and_must_be_there() {
        let zero = GAUGES.map(|name| format!("# TYPE {name} gauge\n{name} 0\n")).concat();
        assert!(gauges(&zero).unwrap().abs() < f64::EPSILON);
        let busy = format!("{zero}flexconnect_results{{place=\"memory\"}} 2\nflexconnect_results_spilled_total 7\n");
        assert!((gauges(&busy).unwrap() - 2.0).abs() < f64::EPSILON);
        assert!(gauges("gdfs_task_queue 0\n").is_err());
    }
}
