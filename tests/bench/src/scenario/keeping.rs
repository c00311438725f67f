//! Results that nobody reads: what they take, that it comes back, and that those over the budget are whole.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arrow::compute::concat_batches;
use bytes::Bytes;
use flexconnect_bench as tables;
use serde_json::json;
use tempfile::TempDir;

use crate::client::{Connection, Frame, Method, connect, download, ticket_of, unary};
use crate::figure::{Better, Figure, Goal};
use crate::lab::Lab;
use crate::load::{Step, Work, call, runtime};
use crate::machine::{Watch, memory};
use crate::server::{Maker, Server, Setup};

const RESULT_MIB: i64 = 10;
const TTL_SECONDS: i64 = 10;
const BUDGET_MIB: i64 = 64;
/// The budget of the server whose results all fit.
const AMPLE_MIB: i64 = 2_048;

/// A hundred results of 10 MiB until they expire.
#[expect(clippy::cast_precision_loss, reason = "mebibytes are few")]
pub(super) fn retain(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let results = lab.choose(100, 10);
    let ttl = lab.choose(TTL_SECONDS, 5);
    let mut setup = Setup::default();
    setup.server.insert("task_result_ttl_sec".to_owned(), ttl.into());
    setup
        .ours
        .insert("task_result_bytes".to_owned(), (AMPLE_MIB << 20).into());
    let server = lab.start(Maker::Ours, &setup)?;
    // The first result brings what is needed once.
    store(&server, 0..1)?;
    thread::sleep(Duration::from_secs(ttl.unsigned_abs() + 2));
    let before = charged(&server);
    let watch = Watch::start(server.pid());
    store(&server, 1..results + 1)?;
    let stored = Instant::now();
    let peak = watch.peak()?.charged;
    let patience = Duration::from_secs(ttl.unsigned_abs() + 10);
    thread::sleep(patience.saturating_sub(stored.elapsed()));
    let after = charged(&server);
    let bytes = (results * RESULT_MIB) as f64;
    Ok(vec![
        Figure::single(
            "retain: memory for each byte stored",
            "bytes",
            Better::Lower,
            &[(peak - before) / bytes],
            Some(Goal::at(1.02)),
        ),
        Figure::single(
            "retain: more than before, 10 s after the last expired",
            "MiB",
            Better::Lower,
            &[after - before],
            Some(Goal::at(3.0)),
        ),
    ])
}

/// Four times the budget until everything was read back.
pub(super) fn retention(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let (server, spill) = small_budget(lab, Maker::Ours)?;
    let watch = Watch::start(server.pid());
    keep(&server, watch, "retention of 4 x the budget", &spill)
}

/// The same with a function in Python. What workers take is theirs; what they made is the server's as soon as it is mapped.
pub(super) fn python(lab: &Lab) -> anyhow::Result<Vec<Figure>> {
    let (server, spill) = small_budget(lab, Maker::Workers)?;
    let watch = Watch::alone(server.pid());
    keep(
        &server,
        watch,
        "Python: retention of 4 x the budget, without workers",
        &spill,
    )
}

/// A server that may keep a quarter of the results in memory, and where the others go.
fn small_budget(lab: &Lab, maker: Maker) -> anyhow::Result<(Server, TempDir)> {
    let spill = tempfile::tempdir_in(&lab.installation.folder)?;
    let mut setup = Setup::default();
    setup.server.insert("task_result_ttl_sec".to_owned(), 120.into());
    setup
        .ours
        .insert("task_result_bytes".to_owned(), (BUDGET_MIB << 20).into());
    setup.ours.insert(
        "task_spill_directory".to_owned(),
        spill.path().to_string_lossy().into_owned().into(),
    );
    setup.ours.insert("task_spill_bytes".to_owned(), (1_i64 << 30).into());
    Ok((lab.start(maker, &setup)?, spill))
}

/// Asks for results, and then reads all of them. The folder of the spilled ones must stay until then.
#[expect(clippy::cast_precision_loss, reason = "mebibytes are few")]
fn keep(server: &Server, watch: Watch, name: &str, _spill: &TempDir) -> anyhow::Result<Vec<Figure>> {
    let results = 4 * BUDGET_MIB / 8;
    let wrong = runtime()?.block_on(async {
        let connection = connect(&server.target, Frame::Large).await?;
        let mut kept = Vec::new();
        for seed in 0..results {
            let work = blob(8, seed);
            let info = unary(&connection, Method::GetFlightInfo, work.request.clone()).await;
            let info = info.with_context(|| format!("result {seed} of {results}"))?;
            kept.push((seed, ticket_of(info)?));
        }
        let mut wrong = 0;
        for (seed, ticket) in kept {
            wrong += u32::from(!whole(&connection, ticket, 8, seed).await?);
        }
        anyhow::Ok(wrong)
    })?;
    let peak = watch.peak()?.charged;
    let lower = |what: &str, unit, value, goal| {
        Figure::single(
            format!("{name}: {what}"),
            unit,
            Better::Lower,
            &[value],
            Some(Goal::at(goal)),
        )
    };
    Ok(vec![
        lower("results that came back wrong", "results", f64::from(wrong), 0.0),
        lower("memory", "MiB", peak, BUDGET_MIB as f64 + 64.0),
    ])
}

fn charged(server: &Server) -> f64 {
    memory(&server.processes()).charged
}

fn blob(mib: i64, seed: i64) -> Work {
    let parameters = json!({"mib": mib, "seed": seed});
    Work::call(Step::Ask, "Blob", &parameters, mib * tables::BLOB_ROWS_PER_MIB)
}

/// Asks for results and leaves them unread.
fn store(server: &Server, seeds: std::ops::Range<i64>) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let connection = connect(&server.target, Frame::Large).await?;
        for seed in seeds {
            let asked = call(&connection, &blob(RESULT_MIB, seed), |_| ()).await;
            asked.with_context(|| format!("result {seed} of {RESULT_MIB} MiB"))?;
        }
        Ok(())
    })
}

/// Whether a result is the one that was asked for, value for value.
async fn whole(connection: &Connection, ticket: Bytes, mib: i64, seed: i64) -> anyhow::Result<bool> {
    let found = download(connection, ticket)
        .await
        .with_context(|| format!("reading result {seed} back"))?;
    let wanted = (0..mib)
        .map(|index| tables::blob(seed, index))
        .collect::<Result<Vec<_>, _>>()?;
    let schema = tables::blob_schema();
    Ok(concat_batches(&schema, &found)? == concat_batches(&schema, &wanted)?)
}
