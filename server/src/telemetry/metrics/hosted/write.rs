//! Writes hosted metrics into a page, in the format that it has.

use super::super::text::{Format, Number, Page};
use super::{Family, Hosted, Labels, Series, Sort};

/// Writes what of it is wanted.
pub(in crate::telemetry::metrics) fn write(page: &mut Page<'_>, hosted: &Hosted) {
    for (name, family) in hosted.iter() {
        let names = Names {
            name,
            stem: family.sort.stem(name),
            sort: family.sort,
        };
        let before = page.length();
        page.header(
            names.header(page.format),
            &family.help,
            kind_name(family.sort, page.format),
        );
        let empty = page.length();
        for (labels, series) in &family.series {
            write_series(page, names, labels, series);
        }
        if page.length() == empty {
            page.cut(before);
        }
        if page.format == Format::Plain {
            write_creation_times(page, names, family);
        }
    }
}

#[derive(Clone, Copy)]
struct Names<'a> {
    name: &'a str,
    stem: &'a str,
    sort: Sort,
}

impl Names<'_> {
    fn header(&self, format: Format) -> &str {
        match format {
            Format::Plain => self.name,
            Format::OpenMetrics => self.stem,
        }
    }

    /// The name of a sample, by what follows the name of its family.
    fn of(&self, ending: &str) -> String {
        format!("{}{ending}", self.stem)
    }

    /// The name of the one sample that a counter has.
    fn counter(&self, format: Format) -> String {
        match format {
            Format::Plain => self.name.to_owned(),
            Format::OpenMetrics => self.of("_total"),
        }
    }
}

fn write_series(page: &mut Page<'_>, names: Names<'_>, labels: &Labels, series: &Series) {
    let format = page.format;
    let whole = page.is_wanted(names.stem) || page.is_wanted(names.name);
    let mut put = |name: &str, bound: Option<Number>, value: f64| {
        if whole || page.is_wanted(name) {
            page.sample(name, pairs(labels), bound.map(|bound| ("le", bound)), Number(value));
        }
    };
    let Series {
        value,
        sum,
        ref buckets,
        created,
    } = *series;
    match names.sort {
        Sort::Counter => put(&names.counter(format), None, value),
        Sort::Gauge | Sort::Untyped => put(names.name, None, value),
        Sort::Histogram => {
            let name = names.of("_bucket");
            for &(bound, count) in buckets {
                put(&name, Some(Number(bound)), count);
            }
            put(&name, Some(Number(f64::INFINITY)), value);
        }
        Sort::Summary => {}
    }
    if matches!(names.sort, Sort::Histogram | Sort::Summary) {
        put(&names.of("_count"), None, value);
        put(&names.of("_sum"), None, sum);
    }
    if let (Some(created), Format::OpenMetrics) = (created, format) {
        put(&names.of("_created"), None, created);
    }
}

/// They are gauges of their own in the plain format.
fn write_creation_times(page: &mut Page<'_>, names: Names<'_>, family: &Family) {
    let name = names.of("_created");
    if !(page.is_wanted(names.stem) || page.is_wanted(names.name) || page.is_wanted(&name)) {
        return;
    }
    let mut times = family
        .series
        .iter()
        .filter_map(|(labels, series)| Some((labels, series.created?)));
    let Some(first) = times.next() else { return };
    page.header(&name, &family.help, "gauge");
    for (labels, time) in std::iter::once(first).chain(times) {
        page.sample(&name, pairs(labels), None, Number(time));
    }
}

fn pairs(labels: &Labels) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

const fn kind_name(sort: Sort, format: Format) -> &'static str {
    match (sort, format) {
        (Sort::Counter, _) => "counter",
        (Sort::Gauge, _) => "gauge",
        (Sort::Histogram, _) => "histogram",
        (Sort::Summary, _) => "summary",
        (Sort::Untyped, Format::Plain) => "untyped",
        (Sort::Untyped, Format::OpenMetrics) => "unknown",
    }
}
