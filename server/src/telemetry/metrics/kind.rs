//! What is measured of one function: its tasks and the streams of its results. Resolved once, atomics from then on.

use std::sync::Arc;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use tokio::time::Instant;

use super::family;
use super::labels::{Rejection, StreamOutcome, TaskOutcome};
use super::original::Original;

/// The families by function.
#[derive(Debug)]
pub(super) struct Kinds {
    waiting: IntGaugeVec,
    running: IntGaugeVec,
    ended: IntCounterVec,
    rejected: IntCounterVec,
    queue_seconds: HistogramVec,
    run_seconds: HistogramVec,
    streams: IntGaugeVec,
    first_byte_seconds: HistogramVec,
    stream_seconds: HistogramVec,
    sent_bytes: IntCounterVec,
    sent_rows: IntCounterVec,
}

impl Kinds {
    pub(super) fn register(registry: &Registry) -> Self {
        let function = &["function"];
        let outcome = &["function", "outcome"];
        let gauges = |name, help| family::gauges(registry, name, help, function);
        let counters = |name, help, labels| family::counters(registry, name, help, labels);
        let seconds = |name, help, labels| family::seconds(registry, name, help, labels);
        Self {
            waiting: gauges("flexconnect_tasks_waiting", "Tasks that wait for a slot."),
            running: gauges("flexconnect_tasks_running", "Tasks that run."),
            ended: counters("flexconnect_tasks_total", "Tasks that ended, by outcome.", outcome),
            rejected: counters(
                "flexconnect_tasks_rejected_total",
                "Calls that were not accepted as tasks, by reason.",
                &["function", "reason"],
            ),
            queue_seconds: seconds(
                "flexconnect_task_queue_seconds",
                "Time from the submission of a task to its start.",
                function,
            ),
            run_seconds: seconds(
                "flexconnect_task_run_seconds",
                "Time from the start of a task to its end, storing the result included, by outcome.",
                outcome,
            ),
            streams: gauges("flexconnect_streams_open", "Results being read."),
            first_byte_seconds: seconds(
                "flexconnect_stream_first_byte_seconds",
                "Time from a DoGet call to the first message of its result.",
                function,
            ),
            stream_seconds: seconds(
                "flexconnect_stream_seconds",
                "Time from a DoGet call to the end of its stream, by outcome.",
                outcome,
            ),
            sent_bytes: counters(
                "flexconnect_sent_bytes_total",
                "Bytes of results handed to the network.",
                function,
            ),
            sent_rows: counters(
                "flexconnect_sent_rows_total",
                "Rows of results handed to the network.",
                function,
            ),
        }
    }

    /// The series of one function.
    pub(super) fn resolve(&self, function: &str, original: &Arc<Original>) -> Kind {
        let labels = &[function];
        Kind(Arc::new(Series {
            original: Arc::clone(original),
            waiting: self.waiting.with_label_values(labels),
            running: self.running.with_label_values(labels),
            ended: each(TaskOutcome::ALL, |outcome| {
                self.ended.with_label_values(&[function, outcome.label()])
            }),
            rejected: each(Rejection::ALL, |reason| {
                self.rejected.with_label_values(&[function, reason.label()])
            }),
            queue_seconds: self.queue_seconds.with_label_values(labels),
            run_seconds: each(TaskOutcome::ALL, |outcome| {
                self.run_seconds.with_label_values(&[function, outcome.label()])
            }),
            streams: self.streams.with_label_values(labels),
            first_byte_seconds: self.first_byte_seconds.with_label_values(labels),
            stream_seconds: each(StreamOutcome::ALL, |outcome| {
                self.stream_seconds.with_label_values(&[function, outcome.label()])
            }),
            sent_bytes: self.sent_bytes.with_label_values(labels),
            sent_rows: self.sent_rows.with_label_values(labels),
        }))
    }
}

/// One series for each value of a label, in the order of the values, so that `value as usize` is the place of its series.
fn each<L: Copy, S>(labels: &[L], series: impl Fn(L) -> S) -> Box<[S]> {
    labels.iter().map(|&label| series(label)).collect()
}

/// The metrics of one function. Clones are the same.
#[derive(Clone, Debug)]
pub struct Kind(Arc<Series>);

#[derive(Debug)]
struct Series {
    original: Arc<Original>,
    waiting: IntGauge,
    running: IntGauge,
    ended: Box<[IntCounter]>,
    rejected: Box<[IntCounter]>,
    queue_seconds: Histogram,
    run_seconds: Box<[Histogram]>,
    streams: IntGauge,
    first_byte_seconds: Histogram,
    stream_seconds: Box<[Histogram]>,
    sent_bytes: IntCounter,
    sent_rows: IntCounter,
}

impl Kind {
    /// A call was not accepted.
    pub fn task_rejected(&self, reason: Rejection) {
        self.0.rejected[reason as usize].inc();
    }

    /// A task was accepted, and waits.
    pub fn task_waits(&self) -> TaskMeter {
        self.0.waiting.inc();
        self.0.original.task_queue.inc();
        TaskMeter {
            kind: self.clone(),
            stage: Stage::Waiting {
                submitted: Instant::now(),
            },
        }
    }

    /// A DoGet call that arrived then begins to read a result.
    pub fn stream_opened(&self, arrived: Instant) -> StreamMeter {
        self.0.streams.inc();
        StreamMeter {
            kind: self.clone(),
            arrived,
            begun: false,
            outcome: StreamOutcome::Abandoned,
        }
    }
}

/// Follows one task. Dropped before its end, it takes the task out of the gauges and counts nothing.
#[derive(Debug)]
#[must_use = "the task leaves the gauges when its meter is dropped"]
pub struct TaskMeter {
    kind: Kind,
    stage: Stage,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Waiting { submitted: Instant },
    Running { submitted: Instant, started: Instant },
    Over,
}

impl TaskMeter {
    /// The task has a slot.
    pub fn started(&mut self) {
        match self.stage {
            Stage::Waiting { submitted } => {
                let started = Instant::now();
                let waited = started.duration_since(submitted);
                self.leave();
                self.kind.0.running.inc();
                self.kind.0.queue_seconds.observe(waited.as_secs_f64());
                self.kind.0.original.task_wait.observe(waited);
                self.stage = Stage::Running { submitted, started };
            }
            Stage::Running { .. } | Stage::Over => {}
        }
    }

    /// The task is over. One that never started counts as ended too, without durations.
    pub fn ended(mut self, outcome: TaskOutcome) {
        let series = &self.kind.0;
        if let Stage::Running { submitted, started } = self.stage {
            let run = started.elapsed();
            series.run_seconds[outcome as usize].observe(run.as_secs_f64());
            series.original.task_duration.observe(run);
            series.original.task_e2e_duration.observe(submitted.elapsed());
        }
        series.ended[outcome as usize].inc();
        series.original.task_completed.inc();
        match outcome {
            TaskOutcome::Succeeded => {}
            TaskOutcome::Failed => series.original.task_error.inc(),
            TaskOutcome::Cancelled | TaskOutcome::TimedOut => series.original.task_cancelled.inc(),
        }
        self.leave();
    }

    /// Takes the task out of the gauge it is in.
    fn leave(&mut self) {
        match self.stage {
            Stage::Waiting { .. } => {
                self.kind.0.waiting.dec();
                self.kind.0.original.task_queue.dec();
            }
            Stage::Running { .. } => self.kind.0.running.dec(),
            Stage::Over => {}
        }
        self.stage = Stage::Over;
    }
}

impl Drop for TaskMeter {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Follows one reading of a result. Dropped before it finished or failed, it counts as abandoned.
#[derive(Debug)]
#[must_use = "the stream counts as abandoned when its meter is dropped"]
pub struct StreamMeter {
    kind: Kind,
    arrived: Instant,
    begun: bool,
    outcome: StreamOutcome,
}

impl StreamMeter {
    /// A message was handed to the network.
    pub fn sent(&mut self, rows: usize, bytes: usize) {
        let series = &self.kind.0;
        if !self.begun {
            self.begun = true;
            series.first_byte_seconds.observe(seconds_since(self.arrived));
        }
        series.sent_rows.inc_by(rows as u64);
        series.sent_bytes.inc_by(bytes as u64);
    }

    /// Everything was sent.
    pub fn finished(mut self) {
        self.outcome = StreamOutcome::Finished;
    }

    /// The function failed while its result was read.
    pub fn failed(mut self) {
        self.outcome = StreamOutcome::Failed;
    }
}

impl Drop for StreamMeter {
    fn drop(&mut self) {
        let series = &self.kind.0;
        series.stream_seconds[self.outcome as usize].observe(seconds_since(self.arrived));
        series.streams.dec();
    }
}

fn seconds_since(moment: Instant) -> f64 {
    moment.elapsed().as_secs_f64()
}
