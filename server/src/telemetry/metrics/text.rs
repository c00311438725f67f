//! Metrics as text, in the two formats that Prometheus reads.
//!
//! As with the original, counters and summaries of its own names have a `_created` time beside them.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::hosted::{self, Hosted};

/// The prefix of the metrics that have a creation time.
const WITH_CREATION_TIME: &str = "gdfs_";

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Version 0.0.4 of the text format of Prometheus.
    Plain,
    /// Version 1.0.0 of `OpenMetrics`.
    OpenMetrics,
}

impl Format {
    /// What a client accepts, by its `Accept` header: `OpenMetrics` where that is named, and not refused.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let named = accept.split(',').any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let named = parts.next() == Some("application/openmetrics-text");
            let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
            named && quality.is_none_or(|quality| quality.parse::<f32>().is_ok_and(|quality| quality > 0.0))
        });
        if named { Self::OpenMetrics } else { Self::Plain }
    }

    /// The `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes families, or of them only what has one of these names: names of samples or of families.
pub(super) fn write(
    families: &[MetricFamily],
    hosted: &Hosted,
    format: Format,
    only: &[String],
    created: SystemTime,
) -> String {
    let mut page = Page {
        format,
        only,
        created: created
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        text: String::with_capacity(16 * 1024),
    };
    for family in families {
        page.family(family);
    }
    hosted::write(&mut page, hosted);
    if format == Format::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// The text so far.
pub(super) struct Page<'a> {
    pub(super) format: Format,
    only: &'a [String],
    created: f64,
    text: String,
}

/// A label beside those of the series.
pub(super) type Extra<'a> = Option<(&'static str, Number)>;

impl Page<'_> {
    fn family(&mut self, family: &MetricFamily) {
        let name = family.name();
        let kind = family.get_field_type();
        // OpenMetrics names the family of a counter without the ending that all its samples have.
        let stem = match kind {
            MetricType::COUNTER => name.strip_suffix("_total").unwrap_or(name),
            MetricType::GAUGE | MetricType::SUMMARY | MetricType::UNTYPED | MetricType::HISTOGRAM => name,
        };
        let counter = match self.format {
            Format::Plain => name.to_owned(),
            Format::OpenMetrics => format!("{stem}_total"),
        };
        let header = match self.format {
            Format::Plain => name,
            Format::OpenMetrics => stem,
        };
        let whole = self.is_wanted(stem);
        let created = has_creation_time(name, kind).then(|| format!("{stem}_created"));
        let before = self.text.len();
        self.header(header, family.help(), kind_name(kind));
        let empty = self.text.len();
        for metric in family.get_metric() {
            self.metric(
                &Names {
                    name,
                    counter: &counter,
                    created: created.as_deref(),
                },
                kind,
                metric,
                whole,
            );
        }
        if self.text.len() == empty {
            self.text.truncate(before);
        }
        if let Some(created) =
            created.filter(|created| self.format == Format::Plain && (whole || self.is_wanted(created)))
        {
            self.header(&created, family.help(), "gauge");
            for metric in family.get_metric() {
                self.sample(&created, pairs(metric.get_label()), None, Number(self.created));
            }
        }
    }

    /// Writes the samples of one series: all of a family that is wanted as a whole, otherwise those asked for.
    fn metric(&mut self, names: &Names<'_>, kind: MetricType, metric: &Metric, whole: bool) {
        let Names { name, counter, created } = *names;
        let labels = metric.get_label();
        let mut put = |name: &str, extra: Extra<'_>, value: Number| {
            if whole || self.is_wanted(name) {
                self.sample(name, pairs(labels), extra, value);
            }
        };
        match kind {
            MetricType::COUNTER => put(counter, None, Number(metric.get_counter().get_value())),
            MetricType::GAUGE => put(name, None, Number(metric.get_gauge().get_value())),
            MetricType::UNTYPED => {}
            MetricType::SUMMARY => {
                let summary = metric.get_summary();
                for quantile in summary.get_quantile() {
                    put(
                        name,
                        Some(("quantile", Number(quantile.quantile()))),
                        Number(quantile.value()),
                    );
                }
                put(&format!("{name}_count"), None, Number::from(summary.sample_count()));
                put(&format!("{name}_sum"), None, Number(summary.sample_sum()));
            }
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                let bucket_name = format!("{name}_bucket");
                for bucket in histogram.get_bucket() {
                    let bound = Some(("le", Number(bucket.upper_bound())));
                    put(&bucket_name, bound, Number::from(bucket.cumulative_count()));
                }
                let all = Number::from(histogram.get_sample_count());
                put(&bucket_name, Some(("le", Number(f64::INFINITY))), all);
                put(&format!("{name}_count"), None, all);
                put(&format!("{name}_sum"), None, Number(histogram.get_sample_sum()));
            }
        }
        if let (Some(name), Format::OpenMetrics) = (created, self.format)
            && (whole || self.is_wanted(name))
        {
            self.sample(name, pairs(labels), None, Number(self.created));
        }
    }

    pub(super) fn is_wanted(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == name)
    }

    pub(super) fn header(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let help = match self.format {
            Format::Plain => help,
            Format::OpenMetrics => help.replace('"', "\\\""),
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample<'l>(
        &mut self,
        name: &str,
        labels: impl Iterator<Item = (&'l str, &'l str)>,
        extra: Extra<'_>,
        value: Number,
    ) {
        self.text.push_str(name);
        let mut before = '{';
        for (label, value) in labels {
            let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
            before = ',';
        }
        if let Some((label, value)) = extra {
            let _ = write!(self.text, "{before}{label}=\"{value}\"");
            before = ',';
        }
        if before == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    /// Takes back what was written since the text had this length.
    pub(super) fn cut(&mut self, length: usize) {
        self.text.truncate(length);
    }
}

fn pairs(labels: &[LabelPair]) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|label| (label.name(), label.value()))
}

/// The names of a family's samples, in the format that is written.
#[derive(Clone, Copy)]
struct Names<'a> {
    name: &'a str,
    counter: &'a str,
    created: Option<&'a str>,
}

fn has_creation_time(name: &str, kind: MetricType) -> bool {
    name.starts_with(WITH_CREATION_TIME)
        && match kind {
            MetricType::COUNTER | MetricType::SUMMARY | MetricType::HISTOGRAM => true,
            MetricType::GAUGE | MetricType::UNTYPED => false,
        }
}

const fn kind_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
        MetricType::HISTOGRAM => "histogram",
    }
}

/// A number as Prometheus writes it: `1.0`, `+Inf`, `NaN`.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) f64);

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(super::number(number))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            number => write!(f, "{number:?}"),
        }
    }
}
