//! Functions in Python: the same modules in our workers and in the vendor's server.

use super::rows::wide;
use super::{Against, Kind, Row, Stage};
use crate::figure::Goal;
use crate::sample::Metric;

const HUNDRED_MB: i64 = 15;
const ONE_GB: i64 = 147;

/// Every row, for a machine of so many cores.
pub(super) fn python(cores: usize) -> Vec<Row> {
    let mut rows = tiny();
    rows.push(cpu(cores));
    rows.push(
        Row::new(
            "python-stream",
            "Python: stream of small batches c=1",
            Stage::Python,
            Kind::SmallBatches,
            1,
        )
        .show(Metric::Messages, Against::Vendor),
    );
    rows.extend(wide("python-wide", "Python: 100 MB", Stage::PythonBulk, HUNDRED_MB));
    rows.extend(wide("python-wide", "Python: 1 GB", Stage::PythonBulk, ONE_GB));
    rows.push(
        Row::new(
            "python-made",
            "Python: 100 MB made and read once",
            Stage::PythonOnce,
            Kind::Made { batches: HUNDRED_MB },
            1,
        )
        .expect(Metric::Throughput, Against::Vendor, Goal::at(1.3))
        .show(Metric::CpuPerByte, Against::Vendor),
    );
    rows
}

fn tiny() -> Vec<Row> {
    let row = |clients: usize, calls: f64| {
        let name = format!("Python: tiny c={clients}");
        Row::new("python-tiny", name, Stage::Python, Kind::Tiny, clients)
            .expect(Metric::Calls, Against::Vendor, Goal::at(calls))
            .expect(Metric::P99, Against::Vendor, Goal::at(1.0 / 5.0))
            .show(Metric::CpuPerCall, Against::Vendor)
    };
    vec![row(1, 6.0), row(8, 12.0), row(32, 12.0)]
}

/// The vendor's server computes on one core, whatever there is.
#[expect(clippy::cast_precision_loss, reason = "cores are few")]
fn cpu(cores: usize) -> Row {
    Row::new("python-cpu", "Python: cpu 50 ms c=8", Stage::Python, Kind::Cpu, 8)
        .expect(Metric::Calls, Against::Vendor, Goal::at(0.9 * cores as f64))
        .show(Metric::P99, Against::Vendor)
}
