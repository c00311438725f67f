//! Making families of metrics and putting them into a registry. Their names are ours and constant, so none of this fails.

use std::fmt;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Gauge as GaugeProto, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

const VALID: &str = "names and labels of our metrics are valid, and each is used once";

/// From a quarter of a millisecond, which a tiny call takes, to the longest calls that are legal by default and beyond.
pub(super) const SECONDS: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    180.0, 600.0,
];

pub(super) fn register(registry: &Registry, collector: impl Collector + 'static) {
    registry.register(Box::new(collector)).expect(VALID);
}

pub(super) fn desc(name: &str, help: &str, labels: &[&str]) -> Desc {
    let labels = labels.iter().map(|&label| label.to_owned()).collect();
    Desc::new(
        name.to_owned(),
        help.to_owned(),
        labels,
        std::collections::HashMap::new(),
    )
    .expect(VALID)
}

pub(super) fn of(desc: &Desc, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(desc.fq_name.clone());
    family.set_help(desc.help.clone());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let counter = IntCounter::new(name, help).expect(VALID);
    register(registry, counter.clone());
    counter
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let gauge = IntGauge::new(name, help).expect(VALID);
    register(registry, gauge.clone());
    gauge
}

pub(super) fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let counters = IntCounterVec::new(Opts::new(name, help), labels).expect(VALID);
    register(registry, counters.clone());
    counters
}

pub(super) fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let gauges = IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID);
    register(registry, gauges.clone());
    gauges
}

/// Histograms of durations in seconds.
pub(super) fn seconds(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    let histograms = HistogramVec::new(options, labels).expect(VALID);
    register(registry, histograms.clone());
    histograms
}

/// A gauge whose series are read when somebody asks: pairs of label value and number, or one number without labels.
pub(super) struct Sampled<F> {
    desc: Desc,
    label: Option<&'static str>,
    read: F,
}

impl<F: Fn() -> Vec<(String, f64)>> Sampled<F> {
    pub(super) fn new(name: &str, help: &str, label: Option<&'static str>, read: F) -> Self {
        Self {
            desc: desc(name, help, label.as_slice()),
            label,
            read,
        }
    }
}

impl<F: Fn() -> Vec<(String, f64)> + Send + Sync> Collector for Sampled<F> {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics = (self.read)().into_iter().map(|(value, number)| {
            let mut gauge = GaugeProto::default();
            gauge.set_value(number);
            let mut metric = Metric::from_gauge(gauge);
            if let Some(label) = self.label {
                let mut pair = LabelPair::default();
                pair.set_name(label.to_owned());
                pair.set_value(value);
                metric.set_label(vec![pair]);
            }
            metric
        });
        vec![of(&self.desc, MetricType::GAUGE, metrics.collect())]
    }
}

impl<F> fmt::Debug for Sampled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled")
            .field("desc", &self.desc)
            .finish_non_exhaustive()
    }
}
