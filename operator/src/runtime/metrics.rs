//! Everything that the operator counts. The handle is passed down, not global: a test has its own.

mod process;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

use self::process::Process;

/// Seconds; requests are short, passes take as long as GoodData does.
const REQUEST_BUCKETS: &[f64] = &[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0];
const PASS_BUCKETS: &[f64] = &[0.01, 0.05, 0.2, 1.0, 5.0, 20.0, 60.0, 240.0];
const WRITE_BUCKETS: &[f64] = &[0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0];

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnd {
    /// All is as it shall be, or a watch will tell when it goes on.
    Settled,
    /// Something is missing; the status says what.
    Unsettled,
    /// The object is gone.
    Gone,
    /// Somebody else changed the object meanwhile.
    Conflict,
    /// Something failed.
    Failed,
    /// It was dropped in its middle: the operator stops, or does not lead any more.
    Abandoned,
}

impl PassEnd {
    fn label(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Unsettled => "unsettled",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The metrics of one operator. Clones are the same metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    passes: HistogramVec,
    pass_writes: Histogram,
    objects: IntGauge,
    backing_off: IntGauge,
    reasons: IntCounterVec,
    watch_failures: IntCounter,
    api: HistogramVec,
    remote: HistogramVec,
    remote_waits: CounterVec,
    leader: IntGauge,
    leases_lost: IntCounter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that are all zero, in a registry of their own.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let add = Adder(&registry);
        add.the(Ok(Process::new()));
        let build = add.the(IntCounterVec::new(
            Opts::new("flexconnect_operator_build_info", "The version of the operator."),
            &["version"],
        ));
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).inc();
        Self(Arc::new(Families {
            passes: add.histograms(
                "reconcile_seconds",
                "How long passes over objects took, by how they ended.",
                PASS_BUCKETS,
                &["outcome"],
            ),
            pass_writes: add.the(Histogram::with_opts(
                HistogramOpts::new(
                    "flexconnect_operator_reconcile_writes",
                    "Writes to the API server in one pass, events excepted.",
                )
                .buckets(WRITE_BUCKETS.to_vec()),
            )),
            objects: add.gauge("objects", "Objects that this operator looks after."),
            backing_off: add.gauge("objects_backing_off", "Objects whose last pass did not settle them."),
            reasons: add.counters(
                "events_total",
                "Changes told as conditions and events, by reason.",
                &["reason"],
            ),
            watch_failures: add.counter(
                "watch_failures_total",
                "Watches that ended early and were started again.",
            ),
            api: add.histograms(
                "api_request_seconds",
                "How long the API server took to answer, by verb, resource and code; code 0: no answer.",
                REQUEST_BUCKETS,
                &["verb", "resource", "code"],
            ),
            remote: add.histograms(
                "remote_request_seconds",
                "How long GoodData took to answer, by method and outcome.",
                REQUEST_BUCKETS,
                &["method", "outcome"],
            ),
            remote_waits: add.the(CounterVec::new(
                Opts::new(
                    "flexconnect_operator_remote_wait_seconds_total",
                    "How long requests to GoodData were held back for the sake of its rate limits, by reason.",
                ),
                &["reason"],
            )),
            leader: add.gauge("leader", "1 while this operator leads."),
            leases_lost: add.counter("leases_lost_total", "How often this operator led and could not go on."),
            registry,
        }))
    }

    /// The page that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut page = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.0.registry.gather(), &mut page) {
            tracing::warn!(%error, "metrics cannot be written");
        }
        String::from_utf8(page).unwrap_or_default()
    }

    /// A pass begins.
    #[must_use]
    pub fn pass_begins(&self) -> PassMeter {
        PassMeter {
            metrics: Some(self.clone()),
            begin: Instant::now(),
        }
    }

    fn passed(&self, end: PassEnd, time: Duration, writes: u64) {
        self.0
            .passes
            .with_label_values(&[end.label()])
            .observe(time.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a pass has few writes")]
        self.0.pass_writes.observe(writes as f64);
    }

    /// So many objects are known.
    pub fn objects(&self, known: usize) {
        self.0.objects.set(known.try_into().unwrap_or(i64::MAX));
    }

    /// So many objects have a failure behind them.
    pub fn backing_off(&self, objects: usize) {
        self.0.backing_off.set(objects.try_into().unwrap_or(i64::MAX));
    }

    /// Something changed that people are told of.
    pub fn told(&self, reason: &str) {
        self.0.reasons.with_label_values(&[reason]).inc();
    }

    /// A watch ended early.
    pub fn watch_failed(&self) {
        self.0.watch_failures.inc();
    }

    /// The API server answered, or did not.
    pub fn api_answered(&self, verb: &str, resource: &str, code: Option<u16>, time: Duration) {
        let code = code.unwrap_or(0).to_string();
        let series = self.0.api.with_label_values(&[verb, resource, &code]);
        series.observe(time.as_secs_f64());
    }

    /// GoodData answered, or did not.
    pub fn remote_answered(&self, method: &str, outcome: &str, time: Duration) {
        let series = self.0.remote.with_label_values(&[method, outcome]);
        series.observe(time.as_secs_f64());
    }

    /// A request to GoodData was held back.
    pub fn remote_waited(&self, reason: &str, time: Duration) {
        self.0
            .remote_waits
            .with_label_values(&[reason])
            .inc_by(time.as_secs_f64());
    }

    /// Whether this operator leads.
    pub fn leading(&self, leads: bool) {
        self.0.leader.set(leads.into());
    }

    /// This operator led, and could not go on.
    pub fn lease_lost(&self) {
        self.0.leases_lost.inc();
    }
}

/// A pass that runs. Dropped without an end, it counts as abandoned.
#[derive(Debug)]
pub struct PassMeter {
    /// Taken when the pass ends.
    metrics: Option<Metrics>,
    begin: Instant,
}

impl PassMeter {
    /// The pass ended, and tried so many writes.
    pub fn ended(mut self, end: PassEnd, writes: u64) {
        if let Some(metrics) = self.metrics.take() {
            metrics.passed(end, self.begin.elapsed(), writes);
        }
    }
}

impl Drop for PassMeter {
    fn drop(&mut self) {
        if let Some(metrics) = self.metrics.take() {
            metrics.passed(PassEnd::Abandoned, self.begin.elapsed(), 0);
        }
    }
}

/// Makes metrics and registers them.
struct Adder<'a>(&'a Registry);

impl Adder<'_> {
    fn the<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let Ok(collector) = made else {
            unreachable!("the names of our metrics are constants that a test makes")
        };
        if self.0.register(Box::new(collector.clone())).is_err() {
            unreachable!("each of our metrics has a name of its own, which a test checks")
        }
        collector
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.the(IntGauge::new(full(name), help))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.the(IntCounter::new(full(name), help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.the(IntCounterVec::new(Opts::new(full(name), help), labels))
    }

    fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> HistogramVec {
        let options = HistogramOpts::new(full(name), help).buckets(buckets.to_vec());
        self.the(HistogramVec::new(options, labels))
    }
}

fn full(name: &str) -> String {
    format!("flexconnect_operator_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_on_the_page() {
        let metrics = Metrics::new();
        metrics.passed(PassEnd::Settled, Duration::from_millis(30), 2);
        metrics.leading(true);
        metrics.objects(7);
        metrics.told("Registered");
        metrics.remote_answered("GET", "ok", Duration::from_secs(1));
        drop(metrics.pass_begins());
        let page = metrics.text();
        for line in [
            r#"flexconnect_operator_reconcile_seconds_bucket{outcome="settled",le="0.05"} 1"#,
            r#"flexconnect_operator_reconcile_writes_bucket{le="1"} 1"#,
            r#"flexconnect_operator_reconcile_writes_bucket{le="2"} 2"#,
            r#"flexconnect_operator_reconcile_seconds_count{outcome="abandoned"} 1"#,
            "\nflexconnect_operator_leader 1\n",
            "flexconnect_operator_objects 7",
            r#"flexconnect_operator_events_total{reason="Registered"} 1"#,
            r#"flexconnect_operator_remote_request_seconds_count{method="GET",outcome="ok"} 1"#,
            "process_resident_memory_bytes",
            "process_open_fds",
        ] {
            assert!(page.contains(line), "{line} is not in:\n{page}");
        }
        assert!(page.contains(&format!(r#"build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION"))));
        assert!(
            !Metrics::new().text().contains("operator_leader 1\n"),
            "each has its own"
        );
    }
}
