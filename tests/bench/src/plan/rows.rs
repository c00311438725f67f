//! Every row, with the targets and the ranges of the prototypes.

use flexconnect_bench as tables;

use super::python::python;
use super::{Against, Kind, Row, Stage};
use crate::figure::Goal;
use crate::limits::Limit;
use crate::sample::Metric;

/// Every row, for a machine of so many cores.
pub(crate) fn rows(cores: usize) -> Vec<Row> {
    let mut rows = tiny();
    rows.extend(tiny_tls());
    rows.extend(cpu(cores));
    rows.extend(sleep());
    rows.extend(wide("wide", "wide", Stage::Bulk, tables::WIDE_BATCHES));
    rows.extend(wide_tls());
    rows.extend(streams());
    rows.extend(python(cores));
    rows
}

fn tiny() -> Vec<Row> {
    let row = |clients: usize, calls: Goal, cpu: f64, p99: Goal| {
        Row::new("tiny", format!("tiny c={clients}"), Stage::Calls, Kind::Tiny, clients)
            .expect(Metric::Calls, Against::Vendor, calls)
            .expect(Metric::CpuPerCall, Against::Vendor, Goal::at(1.0 / cpu))
            .expect(Metric::P99, Against::Vendor, p99)
    };
    vec![
        row(1, Goal::at(14.5).or(11.4), 22.0, Goal::at(1.0 / 9.5)),
        row(8, Goal::at(29.0).or(22.4), 36.0, Goal::at(1.0 / 11.0).or(1.0 / 8.7))
            .show(Metric::Calls, Against::Limit(Limit::Echo)),
        row(32, Goal::at(39.0).or(27.7), 46.0, Goal::at(1.0 / 18.0)),
        row(128, Goal::at(34.0).or(31.0), 39.0, Goal::at(1.0 / 29.0)),
        Row::new("info", "GetFlightInfo c=8", Stage::Calls, Kind::Info, 8)
            .expect(Metric::Calls, Against::Vendor, Goal::at(44.0).or(38.4))
            .expect(Metric::CpuPerCall, Against::Vendor, Goal::at(1.0 / 54.0))
            .expect(Metric::P99, Against::Vendor, Goal::at(1.0 / 32.0))
            .show(Metric::Calls, Against::Limit(Limit::Echo)),
    ]
}

fn tiny_tls() -> Vec<Row> {
    let row = |clients: usize, calls: f64| {
        Row::new(
            "tiny-tls",
            format!("tiny TLS c={clients}"),
            Stage::CallsTls,
            Kind::Tiny,
            clients,
        )
        .expect(Metric::Calls, Against::Vendor, Goal::at(calls))
        .show(Metric::CpuPerCall, Against::Vendor)
        .show(Metric::P99, Against::Vendor)
    };
    vec![row(1, 11.0), row(8, 23.0), row(32, 30.0), row(128, 32.0)]
}

#[expect(clippy::cast_precision_loss, reason = "cores are few")]
fn cpu(cores: usize) -> Vec<Row> {
    let most = cores as f64 * 20.0;
    vec![
        Row::new("cpu", "cpu 50 ms c=8", Stage::Calls, Kind::Cpu, 8)
            .expect(Metric::Calls, Against::Bound(most), Goal::at(0.98))
            .show(Metric::Calls, Against::Vendor)
            .expect(Metric::P99, Against::Vendor, Goal::at(1.0 / 2.9)),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "clients are few")]
fn sleep() -> Vec<Row> {
    let row = |clients: usize, share: f64| {
        Row::new(
            "sleep",
            format!("sleep 100 ms c={clients}"),
            Stage::Waiting,
            Kind::Sleep,
            clients,
        )
        .expect(Metric::Calls, Against::Bound(clients as f64 / 0.1), Goal::at(share))
        .expect(Metric::P99, Against::Nothing, Goal::at(107.0))
    };
    vec![
        row(32, 0.97).show(Metric::Calls, Against::Vendor),
        row(64, 0.97).show(Metric::Calls, Against::Vendor),
        row(256, 0.96).expect(Metric::Calls, Against::Vendor, Goal::at(7.9).or(7.83)),
    ]
}

/// Stored tables, in both sizes of frames.
pub(super) fn wide(group: &'static str, what: &str, stage: Stage, batches: i64) -> Vec<Row> {
    let tcp = |streams| {
        Against::Limit(Limit::Tcp {
            streams,
            write: 256 << 10,
        })
    };
    let row = |name: &str, clients| Row::new(group, format!("{what} {name}"), stage, Kind::Wide { batches }, clients);
    vec![
        row("1 stream, 1M frames", 1)
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.05).or(1.04))
            .expect(Metric::Throughput, tcp(1), Goal::at(1.0))
            .expect(Metric::CpuPerByte, tcp(1), Goal::at(0.95))
            .expect(Metric::FirstByte, Against::Vendor, Goal::at(1.0 / 2.8).or(1.0 / 2.5)),
        row("4 streams, 1M frames", 4)
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.09).or(0.74))
            .expect(Metric::Throughput, tcp(4), Goal::at(0.77))
            .expect(Metric::CpuPerByte, Against::Vendor, Goal::at(0.90)),
        row("1 stream, 16K frames", 1)
            .small_frames()
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.0).or(0.70))
            .show(
                Metric::Throughput,
                Against::Limit(Limit::Tcp {
                    streams: 1,
                    write: 16 << 10,
                }),
            ),
        row("4 streams, 16K frames", 4).small_frames().expect(
            Metric::Throughput,
            Against::Vendor,
            Goal::at(1.0).or(0.88),
        ),
    ]
}

fn wide_tls() -> Vec<Row> {
    let raw = Against::Limit(Limit::Tls);
    let row = |name: &str, clients| {
        Row::new(
            "wide-tls",
            format!("wide TLS {name}"),
            Stage::BulkTls,
            Kind::Wide {
                batches: tables::WIDE_BATCHES,
            },
            clients,
        )
    };
    vec![
        row("1 stream, 16K frames", 1)
            .small_frames()
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.83).or(1.13))
            .expect(Metric::Throughput, raw, Goal::at(0.79))
            .expect(Metric::CpuPerByte, Against::Vendor, Goal::at(0.50)),
        row("1 stream, 1M frames", 1)
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.86).or(1.56))
            .expect(Metric::Throughput, raw, Goal::at(0.87))
            .expect(Metric::CpuPerByte, Against::Vendor, Goal::at(0.52)),
        row("4 streams, 16K frames", 4)
            .small_frames()
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.50).or(0.99))
            .expect(Metric::CpuPerByte, Against::Vendor, Goal::at(0.52)),
        row("4 streams, 1M frames", 4)
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.44).or(1.29))
            .expect(Metric::CpuPerByte, Against::Vendor, Goal::at(0.52)),
    ]
}

fn streams() -> Vec<Row> {
    vec![
        Row::new("stream", "stream of wide batches", Stage::Bulk, Kind::Stream, 1)
            .expect(Metric::Throughput, Against::Vendor, Goal::at(1.1).or(0.98))
            .expect(Metric::FirstByte, Against::Vendor, Goal::at(1.0 / 3.4).or(1.0 / 2.8)),
        Row::new(
            "small-batches",
            "stream of small batches c=1",
            Stage::Calls,
            Kind::SmallBatches,
            1,
        )
        .expect(Metric::Messages, Against::Vendor, Goal::at(10.0)),
        Row::new(
            "small-batches",
            "stream of small batches c=8",
            Stage::Calls,
            Kind::SmallBatches,
            8,
        )
        .expect(Metric::Messages, Against::Vendor, Goal::at(10.0)),
    ]
}
