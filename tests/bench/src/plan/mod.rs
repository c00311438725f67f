//! What is measured beside the vendor's server: rows, the stages that they run on, and what is asked of them.

mod python;
mod rows;

use crate::client::Frame;
use crate::figure::Goal;
use crate::limits::Limit;
use crate::sample::Metric;
use crate::server::{Maker, Setup};

pub(crate) use rows::rows;

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
    /// Small calls of functions in Python.
    Python,
    /// Results of functions in Python that are kept for the whole stage.
    PythonBulk,
    /// Results of functions in Python that are read once, and that nobody comes back for.
    PythonOnce,
}

impl Stage {
    pub(crate) const ALL: [Self; 8] = [
        Self::Calls,
        Self::CallsTls,
        Self::Waiting,
        Self::Bulk,
        Self::BulkTls,
        Self::Python,
        Self::PythonBulk,
        Self::PythonOnce,
    ];

    /// Who is compared: ours, then the vendor's.
    pub(crate) const fn makers(self) -> [Maker; 2] {
        match self {
            Self::Calls | Self::CallsTls | Self::Waiting | Self::Bulk | Self::BulkTls => Maker::BOTH,
            Self::Python | Self::PythonBulk | Self::PythonOnce => Maker::PYTHON,
        }
    }

    pub(crate) const fn tls(self) -> bool {
        match self {
            Self::Calls | Self::Waiting | Self::Bulk | Self::Python | Self::PythonBulk | Self::PythonOnce => false,
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
            Self::Calls | Self::CallsTls | Self::Python => {}
            Self::Waiting => {
                setup.ours.insert("task_threads".to_owned(), 512.into());
            }
            Self::Bulk | Self::BulkTls | Self::PythonBulk => {
                setup.server.insert("task_result_ttl_sec".to_owned(), 3_600.into());
                setup.ours.insert("task_result_bytes".to_owned(), (4_i64 << 30).into());
            }
            Self::PythonOnce => {
                setup.server.insert("task_result_ttl_sec".to_owned(), 1.into());
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
    /// DoGet of a stored table of so many batches, of 6.9 MB each.
    Wide { batches: i64 },
    /// GetFlightInfo and DoGet of such a table.
    Made { batches: i64 },
    /// GetFlightInfo and DoGet of a stream of the same batches.
    Stream,
    /// GetFlightInfo and DoGet of a stream of 100 batches of 100 rows.
    SmallBatches,
}

impl Kind {
    /// Whether bytes are what counts.
    pub(crate) const fn bulk(self) -> bool {
        match self {
            Self::Wide { .. } | Self::Made { .. } | Self::Stream => true,
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
