//! Metrics that programs hosted by the server define themselves: read as text from each of their processes, and summed,
//! since who scrapes wants to know what the server's functions did, not which process did it.

mod read;
mod write;

use std::collections::BTreeMap;

use futures::future::BoxFuture;

pub(crate) use read::{Reading, read};
pub(super) use write::write;

/// The label that tells the processes of gauges apart.
const PROCESS: &str = "worker";

/// What a label of that name becomes when the program has one, as Prometheus does it.
const RENAMED: &str = "exported_";

/// Names with their values.
pub(crate) type Labels = BTreeMap<String, String>;

/// What a family of metrics counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Untyped,
}

impl Sort {
    /// Whether the values of several processes make sense as one.
    const fn adds_up(self) -> bool {
        match self {
            Self::Counter | Self::Histogram | Self::Summary => true,
            Self::Gauge | Self::Untyped => false,
        }
    }

    /// All names that a family takes, in both formats.
    pub(crate) fn names(self, name: &str) -> Vec<String> {
        let stem = self.stem(name);
        let endings: &[&str] = match self {
            Self::Counter => &["_total", "_created"],
            Self::Histogram => &["_bucket", "_count", "_sum", "_created"],
            Self::Summary => &["_count", "_sum", "_created"],
            Self::Gauge | Self::Untyped => &[],
        };
        let others = endings.iter().map(|ending| format!("{stem}{ending}"));
        std::iter::once(stem.to_owned()).chain(others).collect()
    }

    /// The name that all names of a family begin with.
    pub(super) fn stem(self, name: &str) -> &str {
        match self {
            Self::Counter => name.strip_suffix("_total").unwrap_or(name),
            Self::Gauge | Self::Histogram | Self::Summary | Self::Untyped => name,
        }
    }
}

/// One series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// The number; how much was observed, of histograms and summaries.
    pub(crate) value: f64,
    /// The sum of what was observed.
    pub(crate) sum: f64,
    /// How much of it was not above a bound, by bounds that rise; the infinite one is left out.
    pub(crate) buckets: Vec<(f64, f64)>,
    /// When counting began, in seconds since 1970.
    pub(crate) created: Option<f64>,
}

impl Series {
    fn add(&mut self, other: &Self) {
        self.value += other.value;
        self.sum += other.sum;
        self.buckets = joined(&self.buckets, &other.buckets);
        self.created = match (self.created, other.created) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// The sum of two histograms. Where one of them has no bound, as many of it count as up to its last bound before: so the
/// sum rises with its bounds, and only ever says too little.
fn joined(one: &[(f64, f64)], other: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut bounds: Vec<f64> = one.iter().chain(other).map(|(bound, _)| *bound).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let up_to = |buckets: &[(f64, f64)], bound: f64| {
        let at = buckets.partition_point(|(other, _)| *other <= bound);
        at.checked_sub(1).map_or(0.0, |at| buckets[at].1)
    };
    let sums = bounds
        .iter()
        .map(|&bound| (bound, up_to(one, bound) + up_to(other, bound)));
    sums.collect()
}

/// Series of one name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    pub(crate) help: String,
    pub(crate) sort: Sort,
    pub(crate) series: BTreeMap<Labels, Series>,
}

/// Families by their names, as the plain text format has them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Hosted(BTreeMap<String, Family>);

impl Hosted {
    /// Adds what another process counted, as long as there are at most so many series; tells whether some were left out.
    pub(crate) fn add(&mut self, other: &Self, most: usize) -> bool {
        let mut room = most.saturating_sub(self.series());
        let mut left_out = false;
        for (name, family) in other.0.iter().filter(|(_, family)| family.sort.adds_up()) {
            let here = self.family(name, family);
            for (labels, series) in &family.series {
                if let Some(sum) = here.series.get_mut(labels) {
                    sum.add(series);
                } else if room > 0 {
                    here.series.insert(labels.clone(), series.clone());
                    room -= 1;
                } else {
                    left_out = true;
                }
            }
        }
        left_out
    }

    /// Adds what does not add up, with the process as a label. The later of two processes in a place counts.
    pub(crate) fn add_of(&mut self, other: &Self, place: usize) {
        for (name, family) in other.0.iter().filter(|(_, family)| !family.sort.adds_up()) {
            let here = self.family(name, family);
            for (labels, series) in &family.series {
                let mut labels = labels.clone();
                let mut own = labels
                    .remove(PROCESS)
                    .map(|value| (format!("{RENAMED}{PROCESS}"), value));
                while let Some((name, value)) = own {
                    own = labels
                        .insert(name.clone(), value)
                        .map(|value| (format!("{RENAMED}{name}"), value));
                }
                labels.insert(PROCESS.to_owned(), place.to_string());
                here.series.insert(labels, series.clone());
            }
        }
    }

    /// The family of that name. One that meant something else makes way: programs change.
    fn family(&mut self, name: &str, like: &Family) -> &mut Family {
        let empty = || Family {
            series: BTreeMap::new(),
            ..like.clone()
        };
        let family = self.0.entry(name.to_owned()).or_insert_with(empty);
        if family.sort != like.sort {
            *family = empty();
        }
        family.help.clone_from(&like.help);
        family
    }

    /// Leaves families out.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, Sort) -> bool) {
        self.0.retain(|name, family| keep(name, family.sort));
    }

    pub(crate) fn series(&self) -> usize {
        self.0.values().map(|family| family.series.len()).sum()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Family)> {
        self.0.iter().map(|(name, family)| (name.as_str(), family))
    }
}

/// Where hosted metrics come from.
pub(crate) trait Hosting: Send + Sync {
    /// Asks the processes for what is new, and waits a little for them.
    fn refresh(&self) -> BoxFuture<'static, ()>;

    /// What is known now, without what takes one of the server's own names.
    fn told(&self, is_ours: &dyn Fn(&str) -> bool) -> Hosted;
}

/// The door of the fuzzers: what is read can be written, and read again.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(text: &str) {
    use super::Format;
    let once = read(text).hosted;
    let mut sum = once.clone();
    sum.add(&once, read::MOST_SERIES);
    sum.add_of(&once, 7);
    for hosted in [&once, &sum] {
        let page = super::text::write(&[], hosted, Format::Plain, &[], std::time::UNIX_EPOCH);
        let again = read(&page);
        assert_eq!(again.skipped, 0, "a page that cannot be read: {:?}", again.first);
        assert_eq!(again.hosted.series(), hosted.series(), "series got lost");
        super::text::write(&[], hosted, Format::OpenMetrics, &[], std::time::UNIX_EPOCH);
    }
}

#[cfg(test)]
mod tests;
