//! Everything that the server counts, and the handle through which its parts count it.
//!
//! The handle is passed down, not global: a test has its own. What happens often is resolved once (see [`Kind`]) and is
//! a few atomics from then on; whatever can be open is a meter that leaves its gauge when it is dropped.

mod family;
mod hosted;
mod kind;
mod labels;
mod original;
mod process;
mod rpc;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::proto::MetricType;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

#[cfg(feature = "fuzzing")]
pub(crate) use hosted::fuzz as fuzz_hosted;
pub(crate) use hosted::{Hosted, Hosting, Reading, Sort, read as read_hosted};
pub use kind::{Kind, StreamMeter, TaskMeter};
pub use labels::{
    AuthFailure, CertificateUse, ConnectionEnd, Place, Rejection, Reloaded, RestartReason, StreamOutcome, TaskOutcome,
    WorkerState,
};
pub use rpc::RpcMeter;
pub use text::Format;

use super::Rpc;
use family::Sampled;
use kind::Kinds;
use original::Original;
use process::Process;
use rpc::Rpcs;

/// Functions with series of their own. A service may make up kinds of tasks; those beyond count as [`OTHER_KINDS`].
const MAX_KINDS: usize = 1000;

/// The label of kinds beyond [`MAX_KINDS`], and of calls for functions that do not exist.
const OTHER_KINDS: &str = "other";

/// The metrics of one server. Clones are the same metrics.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    registry: Registry,
    created: SystemTime,
    original: Arc<Original>,
    kinds: Kinds,
    resolved: RwLock<HashMap<Box<str>, Kind>>,
    rpcs: Rpcs,
    results: IntGaugeVec,
    result_bytes: IntGaugeVec,
    spilled: IntCounter,
    spilled_bytes: IntCounter,
    leaked_threads: IntGauge,
    authentication_failures: IntCounterVec,
    reloads: IntCounterVec,
    certificate_expiry: IntGaugeVec,
    worker_restarts: IntCounterVec,
    connections: IntGauge,
    connections_total: IntCounter,
    connections_ended: IntCounterVec,
    stalled_calls: IntCounter,
    hosting: OnceLock<Box<dyn Hosting>>,
}

impl Metrics {
    /// Metrics that are all zero, in a registry of their own.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        family::register(&registry, Process::new());
        let gauge = |name, help| family::gauge(&registry, name, help);
        let gauges = |name, help, label| family::gauges(&registry, name, help, &[label]);
        let counter = |name, help| family::counter(&registry, name, help);
        let counters = |name, help, labels: &[&str]| family::counters(&registry, name, help, labels);
        gauges_of_build(&registry);
        // The log is the process's, whoever else serves in it.
        family::register(&registry, super::dropped_lines());
        let families = Families {
            created: SystemTime::now(),
            original: Original::register(&registry),
            kinds: Kinds::register(&registry),
            resolved: RwLock::default(),
            rpcs: Rpcs::register(&registry),
            results: gauges("flexconnect_results", "Results that are kept, by place.", "place"),
            result_bytes: gauges(
                "flexconnect_result_bytes",
                "Bytes of results that are kept, by place.",
                "place",
            ),
            spilled: counter(
                "flexconnect_results_spilled_total",
                "Results that were written to disk.",
            ),
            spilled_bytes: counter(
                "flexconnect_result_spilled_bytes_total",
                "Bytes of results that were written to disk.",
            ),
            leaked_threads: gauge(
                "flexconnect_leaked_threads",
                "Threads held by functions that were told to stop and do not.",
            ),
            authentication_failures: counters(
                "flexconnect_authentication_failures_total",
                "Calls refused for who makes them, by reason.",
                &["reason"],
            ),
            reloads: counters(
                "flexconnect_reloads_total",
                "Changes noticed while running, by what was read again and whether it was good (the old one is kept \
                 otherwise).",
                &["what", "outcome"],
            ),
            certificate_expiry: gauges(
                "flexconnect_certificate_expiry_timestamp_seconds",
                "When a certificate ends, in seconds since the epoch.",
                "certificate",
            ),
            worker_restarts: counters(
                "flexconnect_worker_restarts_total",
                "Worker processes for functions in Python that ended while the server runs, by reason.",
                &["reason"],
            ),
            connections: gauge("flexconnect_connections", "Connections that are open."),
            connections_total: counter(
                "flexconnect_connections_accepted_total",
                "Connections that were accepted.",
            ),
            connections_ended: counters(
                "flexconnect_connections_ended_total",
                "Connections that the server ended, by reason.",
                &["reason"],
            ),
            stalled_calls: counter(
                "flexconnect_stalled_calls_total",
                "Calls that the server ended because their client did not take the answer, or did not finish the request.",
            ),
            hosting: OnceLock::new(),
            registry,
        };
        for place in Place::ALL {
            families.results.with_label_values(&[place.label()]);
            families.result_bytes.with_label_values(&[place.label()]);
        }
        for reason in AuthFailure::ALL {
            families.authentication_failures.with_label_values(&[reason.label()]);
        }
        for reason in RestartReason::ALL {
            families.worker_restarts.with_label_values(&[reason.label()]);
        }
        for reason in ConnectionEnd::ALL {
            families.connections_ended.with_label_values(&[reason.label()]);
        }
        Self(Arc::new(families))
    }

    /// Adds metrics of a service or of functions; they are exposed beside the server's.
    ///
    /// # Errors
    /// When a name is taken, or the collector describes nothing.
    pub fn register(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.0.registry.register(collector)
    }

    /// The metrics of one function, or of one kind of tasks. Keep what you get where it is used often.
    #[must_use]
    pub fn kind(&self, name: &str) -> Kind {
        let families = &*self.0;
        let read = families.resolved.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = read.get(name) {
            return kind.clone();
        }
        let name = if read.len() < MAX_KINDS { name } else { OTHER_KINDS };
        drop(read);
        let mut resolved = families.resolved.write().unwrap_or_else(PoisonError::into_inner);
        let kind = resolved
            .entry(name.into())
            .or_insert_with(|| families.kinds.resolve(name, &families.original));
        kind.clone()
    }

    /// A call was refused before it was known to be for one of the functions.
    pub fn call_rejected(&self, reason: Rejection) {
        self.kind(OTHER_KINDS).task_rejected(reason);
    }

    /// An RPC arrived.
    pub fn rpc_arrived(&self, rpc: Rpc) -> RpcMeter {
        self.0.rpcs.arrived(rpc)
    }

    /// A result is kept from now on, until the meter is dropped.
    pub fn result_kept(&self, place: Place, bytes: usize) -> ResultMeter {
        let gauges = ResultMeter {
            results: self.0.results.with_label_values(&[place.label()]),
            result_bytes: self.0.result_bytes.with_label_values(&[place.label()]),
            bytes: bytes.try_into().unwrap_or(i64::MAX),
        };
        gauges.results.inc();
        gauges.result_bytes.add(gauges.bytes);
        gauges
    }

    /// A result was written to disk.
    pub fn result_spilled(&self, bytes: usize) {
        self.0.spilled.inc();
        self.0.spilled_bytes.inc_by(bytes as u64);
    }

    /// Results are being dropped, which may take a while, until the meter is.
    pub fn results_closing(&self, count: usize) -> GaugeMeter {
        GaugeMeter::up(&self.0.original.close_queue, count)
    }

    /// A function holds on to its thread, until the meter is dropped.
    pub fn thread_leaked(&self) -> GaugeMeter {
        GaugeMeter::up(&self.0.leaked_threads, 1)
    }

    /// A caller was refused for who they are.
    pub fn authentication_failed(&self, reason: AuthFailure) {
        self.0
            .authentication_failures
            .with_label_values(&[reason.label()])
            .inc();
    }

    /// A file changed, and was read again. What is bad is not used.
    pub fn reloaded(&self, what: Reloaded, good: bool) {
        let outcome = if good { "good" } else { "bad" };
        self.0.reloads.with_label_values(&[what.label(), outcome]).inc();
    }

    /// A certificate is in use that ends then.
    pub fn certificate_expires(&self, certificate: CertificateUse, at: SystemTime) {
        let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let gauge = self.0.certificate_expiry.with_label_values(&[certificate.label()]);
        gauge.set(seconds.try_into().unwrap_or(i64::MAX));
    }

    /// A connection was accepted. It is open until the meter is dropped.
    pub fn connection_accepted(&self) -> GaugeMeter {
        self.0.connections_total.inc();
        GaugeMeter::up(&self.0.connections, 1)
    }

    /// Connections that are open.
    #[must_use]
    pub fn open_connections(&self) -> i64 {
        self.0.connections.get()
    }

    /// The server ended a connection, or did not let it begin.
    pub fn connection_ended(&self, reason: ConnectionEnd) {
        self.0.connections_ended.with_label_values(&[reason.label()]).inc();
    }

    /// The server ended a call whose client did not do its part. The connection lives.
    pub fn call_stalled(&self) {
        self.0.stalled_calls.inc();
    }

    /// Shows how much memory results, streams and commands may hold and do, `used` being asked at every scrape.
    pub fn show_memory_budget(&self, limit: usize, used: impl Fn() -> usize + Send + Sync + 'static) {
        self.show(
            "flexconnect_memory_budget_bytes",
            "Memory that results, streams and commands may hold.",
            move || vec![(String::new(), number(limit as u64))],
            None,
        );
        self.show(
            "flexconnect_memory_budget_used_bytes",
            "Memory that results, streams and commands hold.",
            move || vec![(String::new(), number(used() as u64))],
            None,
        );
    }

    /// A worker process ended, and is replaced.
    pub fn worker_restarted(&self, reason: RestartReason) {
        self.0.worker_restarts.with_label_values(&[reason.label()]).inc();
    }

    /// Shows how many worker processes are in each state, and how much memory each place has in use.
    pub(crate) fn show_workers(
        &self,
        states: impl Fn() -> BTreeMap<&'static str, usize> + Send + Sync + 'static,
        memory: impl Fn() -> Vec<(usize, u64)> + Send + Sync + 'static,
    ) {
        self.show(
            "flexconnect_workers",
            "Worker processes for functions in Python, by state.",
            move || {
                let states = states().into_iter();
                states
                    .map(|(state, count)| (state.to_owned(), number(count as u64)))
                    .collect()
            },
            Some("state"),
        );
        self.show(
            "flexconnect_worker_memory_bytes",
            "Memory that a worker process has in use, what it shares with others divided among them.",
            move || {
                let memory = memory().into_iter();
                memory
                    .map(|(worker, bytes)| (worker.to_string(), number(bytes)))
                    .collect()
            },
            Some("worker"),
        );
    }

    /// Shows in which of the phases the server is: 1 for that phase, 0 for the others.
    pub fn show_phase<P: fmt::Display + PartialEq + Send + Sync>(
        &self,
        phases: &'static [P],
        current: impl Fn() -> P + Send + Sync + 'static,
    ) {
        self.show(
            "flexconnect_phase",
            "The phase that the server is in.",
            move || {
                let now = current();
                let series = phases
                    .iter()
                    .map(|phase| (phase.to_string(), f64::from(u8::from(*phase == now))));
                series.collect()
            },
            Some("phase"),
        );
    }

    /// Shows a number that somebody else keeps. Only the first who shows a name is heard: a process may run two servers.
    fn show(
        &self,
        name: &str,
        help: &str,
        read: impl Fn() -> Vec<(String, f64)> + Send + Sync + 'static,
        label: Option<&'static str>,
    ) {
        let _ = self.register(Box::new(Sampled::new(name, help, label, read)));
    }

    /// Shows metrics of programs that the server hosts. Only the first who does so is heard.
    pub(crate) fn host(&self, hosting: impl Hosting + 'static) {
        let _ = self.0.hosting.set(Box::new(hosting));
    }

    /// Asks hosted programs for their metrics, which may take a moment.
    pub(crate) async fn refresh(&self) {
        if let Some(hosting) = self.0.hosting.get() {
            hosting.refresh().await;
        }
    }

    /// All metrics as text; only those with these names, if there are any. Those of hosted programs as they were known
    /// when somebody last asked for them.
    #[must_use]
    pub fn text(&self, format: Format, only: &[String]) -> String {
        let families = self.0.registry.gather();
        let hosted = self.0.hosting.get().map(|hosting| {
            let named = |family: &prometheus::proto::MetricFamily| sort(family.get_field_type()).names(family.name());
            let ours: HashSet<String> = families.iter().flat_map(named).collect();
            hosting.told(&|name| ours.contains(name))
        });
        text::write(&families, &hosted.unwrap_or_default(), format, only, self.0.created)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("created", &self.0.created)
            .finish_non_exhaustive()
    }
}

/// Holds a gauge up until dropped.
#[derive(Debug)]
#[must_use = "the gauge goes down when its meter is dropped"]
pub struct GaugeMeter {
    gauge: IntGauge,
    by: i64,
}

impl GaugeMeter {
    fn up(gauge: &IntGauge, by: usize) -> Self {
        let by = by.try_into().unwrap_or(i64::MAX);
        gauge.add(by);
        Self {
            gauge: gauge.clone(),
            by,
        }
    }
}

impl Drop for GaugeMeter {
    fn drop(&mut self) {
        self.gauge.sub(self.by);
    }
}

/// Counts a result as kept until dropped.
#[derive(Debug)]
#[must_use = "the result leaves the gauges when its meter is dropped"]
pub struct ResultMeter {
    results: IntGauge,
    result_bytes: IntGauge,
    bytes: i64,
}

impl Drop for ResultMeter {
    fn drop(&mut self) {
        self.results.dec();
        self.result_bytes.sub(self.bytes);
    }
}

const fn sort(kind: MetricType) -> Sort {
    match kind {
        MetricType::COUNTER => Sort::Counter,
        MetricType::GAUGE => Sort::Gauge,
        MetricType::SUMMARY => Sort::Summary,
        MetricType::UNTYPED => Sort::Untyped,
        MetricType::HISTOGRAM => Sort::Histogram,
    }
}

/// A constant that tells what runs.
fn gauges_of_build(registry: &Registry) {
    let build = family::gauges(
        registry,
        "flexconnect_build_info",
        "What runs: always 1.",
        &["version", "arrow_version"],
    );
    build
        .with_label_values(&[env!("CARGO_PKG_VERSION"), arrow::ARROW_VERSION])
        .set(1);
}

/// A number as metrics have it. They are exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating-point numbers")]
const fn number(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests;
