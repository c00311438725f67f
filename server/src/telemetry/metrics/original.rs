//! The `gdfs_*` metrics of the original, under its names and of its types, with values that mean what they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Metric, MetricFamily, MetricType, Summary as SummaryProto};
use prometheus::{IntCounter, IntGauge, Registry};

use super::family;

/// What the original counts of all tasks together.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) task_queue: IntGauge,
    pub(super) close_queue: IntGauge,
    pub(super) task_wait: Summary,
    pub(super) task_duration: Summary,
    pub(super) task_e2e_duration: Summary,
    pub(super) task_error: IntCounter,
    pub(super) task_cancelled: IntCounter,
    pub(super) task_completed: IntCounter,
}

impl Original {
    pub(super) fn register(registry: &Registry) -> Arc<Self> {
        let gauge = |name, help| family::gauge(registry, name, help);
        let counter = |name, help| family::counter(registry, name, help);
        let summary = |name, help| Summary::register(registry, name, help);
        // The allocator gives memory back by itself: these two stay zero, for dashboards that expect them.
        let _ = summary("gdfs_malloc_trim", "Duration of periodic malloc_trim.");
        let _ = counter("gdfs_malloc_trim_error_total", "Number of failed malloc_trim calls.");
        Arc::new(Self {
            task_queue: gauge("gdfs_task_queue", "Number of tasks waiting in queue."),
            close_queue: gauge(
                "gdfs_close_queue",
                "Number of task execution results waiting in the queue to be closed and cleaned up.",
            ),
            task_wait: summary(
                "gdfs_task_wait",
                "Time a task spends waiting in queue before it is executed.",
            ),
            task_duration: summary("gdfs_task_duration", "Time a task spends running."),
            task_e2e_duration: summary(
                "gdfs_task_e2e_duration",
                "Time from the creation of a task to the end of its run.",
            ),
            task_error: counter("gdfs_task_error_total", "Number of failed tasks."),
            task_cancelled: counter("gdfs_task_cancelled_total", "Number of cancelled tasks."),
            task_completed: counter(
                "gdfs_task_completed_total",
                "Number of finished tasks, whatever their outcome.",
            ),
        })
    }
}

/// Count and sum of durations, exposed in seconds. Clones are the same summary.
#[derive(Clone, Debug)]
pub(super) struct Summary(Arc<Observed>);

#[derive(Debug)]
struct Observed {
    desc: Desc,
    count: AtomicU64,
    /// Enough for 584 years.
    nanoseconds: AtomicU64,
}

impl Summary {
    fn register(registry: &Registry, name: &str, help: &str) -> Self {
        let summary = Self(Arc::new(Observed {
            desc: family::desc(name, help, &[]),
            count: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }));
        family::register(registry, summary.clone());
        summary
    }

    pub(super) fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }
}

impl Collector for Summary {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.0.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut summary = SummaryProto::default();
        summary.set_sample_count(self.0.count.load(Ordering::Relaxed));
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed));
        summary.set_sample_sum(sum.as_secs_f64());
        let mut metric = Metric::default();
        metric.set_summary(summary);
        vec![family::of(&self.0.desc, MetricType::SUMMARY, vec![metric])]
    }
}
