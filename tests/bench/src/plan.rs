//! What is measured beside the vendor's server, and what is asked of it: the targets and the ranges of the prototypes.

use crate::client::Frame;
use crate::figure::Goal;
use crate::limits::Limit;
use crate::sample::Metric;
use crate::server::Setup;

/// What one row measures.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Rows are chosen by this name.
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) stage: Stage,
    pub(crate) kind: Kind,
    pub(crate) clients: usize,
    pub(crate) frame: Frame,
    pub(crate) expected: Vec<Expectation>,
}

/// Servers that are up together; each stage has two of its own, ours and the vendor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Small calls, default settings.
    Calls,
    /// The same through TLS.
    CallsTls,
    /// Calls that wait. Ours may run more of them than the vendor's has threads, since they hold none.
    Waiting,
    /// Results that are kept for the whole stage.
    Bulk,
    /// The same through TLS.
    BulkTls,
}

impl Stage {
    pub(crate) const ALL: [Self; 5] = [Self::Calls, Self::CallsTls, Self::Waiting, Self::Bulk, Self::BulkTls];

    pub(crate) const fn tls(self) -> bool {
        match self {
            Self::Calls | Self::Waiting | Self::Bulk => false,
            Self::CallsTls | Self::BulkTls => true,
        }
    }

    /// How its servers differ from the default.
    pub(crate) fn setup(self) -> Setup {
        let mut setup = Setup {
            tls: self.tls(),
            ..Setup::default()
        };
        match self {
            Self::Calls | Self::CallsTls => {}
            Self::Waiting => {
                setup.ours.insert("task_threads".to_owned(), 512.into());
            }
            Self::Bulk | Self::BulkTls => {
                setup.server.insert("task_result_ttl_sec".to_owned(), 3_600.into());
                setup.ours.insert("task_result_bytes".to_owned(), (4_i64 << 30).into());
            }
        }
        setup
    }
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// GetFlightInfo and DoGet of ten rows.
    Tiny,
    /// GetFlightInfo of ten rows.
    Info,
    /// GetFlightInfo and DoGet of a function that computes for 50 ms.
    Cpu,
    /// The same of one that sleeps for 100 ms.
    Sleep,
    /// DoGet of a stored table of 258 MiB.
    Wide,
    /// GetFlightInfo and DoGet of a stream of the same batches.
    Stream,
    /// GetFlightInfo and DoGet of a stream of 100 batches of 100 rows.
    SmallBatches,
}

impl Kind {
    /// Whether bytes are what counts.
    pub(crate) const fn bulk(self) -> bool {
        match self {
            Self::Wide | Self::Stream => true,
            Self::Tiny | Self::Info | Self::Cpu | Self::Sleep | Self::SmallBatches => false,
        }
    }
}

/// What a metric is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Against {
    /// The vendor's server in the same repetition.
    Vendor,
    /// A limit program in the same repetition.
    Limit(Limit),
    /// A number that follows from the work itself.
    Bound(f64),
    /// Nothing: the goal is of the value.
    Nothing,
}

/// One figure that a row gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    pub(crate) metric: Metric,
    pub(crate) against: Against,
    pub(crate) goal: Option<Goal>,
}

impl Row {
    fn new(group: &'static str, name: impl Into<String>, stage: Stage, kind: Kind, clients: usize) -> Self {
        Self {
            group,
            name: name.into(),
            stage,
            kind,
            clients,
            frame: Frame::Large,
            expected: Vec::new(),
        }
    }

    fn small_frames(mut self) -> Self {
        self.frame = Frame::Small;
        self
    }

    fn expect(mut self, metric: Metric, against: Against, goal: Goal) -> Self {
        self.expected.push(Expectation {
            metric,
            against,
            goal: Some(goal),
        });
        self
    }

    fn show(mut self, metric: Metric, against: Against) -> Self {
        self.expected.push(Expectation {
            metric,
            against,
            goal: None,
        });
        self
    }
}

/// Every row, for a machine of so many cores.
pub(crate) fn rows(cores: usize) -> Vec<Row> {
    let mut rows = tiny();
    rows.extend(tiny_tls());
    rows.extend(cpu(cores));
    rows.extend(sleep());
    rows.extend(wide());
    rows.extend(wide_tls());
    rows.extend(streams());
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

fn wide() -> Vec<Row> {
    let tcp = |streams| {
        Against::Limit(Limit::Tcp {
            streams,
            write: 256 << 10,
        })
    };
    let row = |name: &str, clients| Row::new("wide", format!("wide {name}"), Stage::Bulk, Kind::Wide, clients);
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
            Kind::Wide,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_name_of_its_own() {
        let mut names: Vec<_> = rows(2)
            .iter()
            .flat_map(|row| {
                let name =
                    |expected: &Expectation| format!("{} {:?} {:?}", row.name, expected.metric, expected.against);
                row.expected.iter().map(name).collect::<Vec<_>>()
            })
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_must_be_reached_is_never_more_than_what_is_aimed_for() {
        for row in rows(4) {
            for Expectation { metric, goal, .. } in row.expected {
                assert!(
                    goal.is_none_or(|goal| metric.better().reaches(goal.target, goal.floor)),
                    "{}",
                    row.name
                );
            }
        }
    }
}
