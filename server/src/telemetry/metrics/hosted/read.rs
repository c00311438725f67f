//! Reads metrics in the text format of Prometheus, version 0.0.4, as its client for Python writes it. Nothing is believed:
//! a line that makes no sense is left out, and the rest is good.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{Family, Hosted, Labels, Series, Sort};

/// Series of one process.
pub(crate) const MOST_SERIES: usize = 10_000;

/// The label of a histogram's bounds.
const BOUND: &str = "le";

/// What was read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) hosted: Hosted,
    /// Lines that were left out.
    pub(crate) skipped: usize,
    /// The number of the first of them, from 1, and what is wrong with it. Its text may be anything, and is not told.
    pub(crate) first: Option<(usize, Wrong)>,
}

/// Why a line is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("no name that metrics can have")]
    Name,
    #[error("labels that cannot be read")]
    Labels,
    #[error("no number that fits the type")]
    Number,
    #[error("a sample that the type does not have")]
    Part,
    #[error("more than {MOST_SERIES} series")]
    TooMany,
}

/// Reads a text.
pub(crate) fn read(text: &str) -> Reading {
    let mut draft = Draft::default();
    let mut reading = Reading::default();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let taken = match line.strip_prefix('#') {
            Some(comment) => draft.comment(comment.trim_start()),
            None if line.is_empty() => Ok(()),
            None => draft.sample(line),
        };
        if let Err(wrong) = taken {
            reading.skipped += 1;
            reading.first.get_or_insert((at + 1, wrong));
        }
    }
    reading.hosted = draft.finish();
    reading
}

/// What comments said of a family.
#[derive(Debug, Default)]
struct About {
    help: String,
    sort: Option<Sort>,
}

#[derive(Debug, Default)]
struct Draft {
    about: BTreeMap<String, About>,
    families: BTreeMap<String, Family>,
    series: usize,
}

/// Which number of a series a sample is.
#[derive(Clone, Copy, Debug)]
enum Part {
    Value,
    Bucket,
    Sum,
    /// Of a summary, which cannot be summed.
    Quantile,
}

impl Draft {
    /// `HELP name text` and `TYPE name type`; anything else is a remark.
    fn comment(&mut self, comment: &str) -> Result<(), Wrong> {
        let Some((word, rest)) = comment.split_once(char::is_whitespace) else {
            return Ok(());
        };
        if !matches!(word, "HELP" | "TYPE") {
            return Ok(());
        }
        let rest = rest.trim_start();
        let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if !is_name(name, true) {
            return Err(Wrong::Name);
        }
        let about = self.about.entry(name.to_owned()).or_default();
        if word == "HELP" {
            about.help = unescaped(text.trim_start()).ok_or(Wrong::Labels)?;
        } else {
            about.sort = Some(match text.trim() {
                "counter" => Sort::Counter,
                "gauge" => Sort::Gauge,
                "histogram" => Sort::Histogram,
                "summary" => Sort::Summary,
                _ => Sort::Untyped,
            });
        }
        Ok(())
    }

    /// `name{labels} number`; a time and an example may follow, which sums do not have.
    fn sample(&mut self, line: &str) -> Result<(), Wrong> {
        let end = line
            .find(|c: char| c == '{' || c.is_whitespace())
            .ok_or(Wrong::Number)?;
        let (name, rest) = line.split_at(end);
        if !is_name(name, true) {
            return Err(Wrong::Name);
        }
        let rest = rest.trim_start();
        let (mut labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest).ok_or(Wrong::Labels)?,
            None => (Labels::new(), rest),
        };
        let number = rest.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
        let number = number.ok_or(Wrong::Number)?;
        let (family, sort, part) = self.home(name);
        let only_rises = match (sort, part) {
            (Sort::Counter, _) | (Sort::Histogram | Sort::Summary, Part::Value | Part::Bucket) => true,
            (Sort::Histogram | Sort::Summary, Part::Sum | Part::Quantile) | (Sort::Gauge | Sort::Untyped, _) => false,
        };
        if only_rises && (number.is_nan() || number < 0.0) {
            return Err(Wrong::Number);
        }
        let bound = match part {
            Part::Quantile => return Ok(()),
            Part::Bucket => {
                let bound = labels.remove(BOUND).and_then(|bound| bound.parse::<f64>().ok());
                bound.filter(|bound| !bound.is_nan()).ok_or(Wrong::Labels)?
            }
            // The writer adds this label itself.
            Part::Value | Part::Sum if sort == Sort::Histogram && labels.contains_key(BOUND) => {
                return Err(Wrong::Part);
            }
            Part::Value | Part::Sum => f64::INFINITY,
        };
        let series = self.series(family, sort, labels)?;
        match part {
            Part::Bucket if bound < f64::INFINITY => series.buckets.push((bound, number)),
            // All that was observed; some write no other count.
            Part::Value | Part::Bucket => series.value = number,
            Part::Sum => series.sum = number,
            Part::Quantile => {}
        }
        Ok(())
    }

    /// The family of a sample, by what comments said.
    fn home<'n>(&self, name: &'n str) -> (&'n str, Sort, Part) {
        let sort = |name: &str| self.about.get(name).and_then(|about| about.sort);
        if let Some(found) = sort(name) {
            match found {
                Sort::Counter | Sort::Gauge | Sort::Untyped => return (name, found, Part::Value),
                Sort::Summary => return (name, found, Part::Quantile),
                Sort::Histogram => {}
            }
        }
        let endings = [("_bucket", Part::Bucket), ("_count", Part::Value), ("_sum", Part::Sum)];
        for (ending, part) in endings {
            let Some(stem) = name.strip_suffix(ending) else {
                continue;
            };
            match (sort(stem), part) {
                (Some(Sort::Histogram), _) => return (stem, Sort::Histogram, part),
                (Some(Sort::Summary), Part::Value | Part::Sum) => return (stem, Sort::Summary, part),
                (Some(_) | None, _) => {}
            }
        }
        (name, Sort::Untyped, Part::Value)
    }

    fn series(&mut self, name: &str, sort: Sort, labels: Labels) -> Result<&mut Series, Wrong> {
        let about = self.about.get(name);
        let family = self.families.entry(name.to_owned()).or_insert_with(|| Family {
            help: about.map(|about| about.help.clone()).unwrap_or_default(),
            sort,
            series: BTreeMap::new(),
        });
        if family.sort != sort {
            return Err(Wrong::Part);
        }
        match family.series.entry(labels) {
            Entry::Occupied(found) => Ok(found.into_mut()),
            Entry::Vacant(_) if self.series == MOST_SERIES => Err(Wrong::TooMany),
            Entry::Vacant(empty) => {
                self.series += 1;
                Ok(empty.insert(Series::default()))
            }
        }
    }

    fn finish(mut self) -> Hosted {
        let of_buckets = |family: &&mut Family| family.sort == Sort::Histogram;
        for family in self.families.values_mut().filter(of_buckets) {
            for series in family.series.values_mut() {
                rise(series);
            }
        }
        self.put_creation_times_where_they_belong();
        self.families.retain(|_, family| !family.series.is_empty());
        Hosted(self.families)
    }

    /// In this format, when counting began is a gauge of its own, with the same labels.
    fn put_creation_times_where_they_belong(&mut self) {
        let names: Vec<String> = self
            .families
            .keys()
            .filter(|name| name.ends_with("_created"))
            .cloned()
            .collect();
        for name in names {
            let stem = name.trim_end_matches("_created");
            let total = format!("{stem}_total");
            let adds_up = |name: &str| self.families.get(name).is_some_and(|family| family.sort.adds_up());
            let Some(whose) = [stem, &total].into_iter().find(|name| adds_up(name)) else {
                continue;
            };
            if self.families.get(&name).is_none_or(|family| family.sort != Sort::Gauge) {
                continue;
            }
            let (Some(times), Some(family)) = (self.families.remove(&name), self.families.get_mut(whose)) else {
                continue;
            };
            for (labels, time) in times.series {
                if let Some(series) = family.series.get_mut(&labels) {
                    series.created = Some(time.value);
                }
            }
        }
    }
}

/// Puts buckets in order, and makes them rise up to the count of all.
fn rise(series: &mut Series) {
    series.buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    series
        .buckets
        .dedup_by(|later, first| later.0.total_cmp(&first.0).is_eq());
    let mut most = 0.0;
    for (_, count) in &mut series.buckets {
        most = f64::max(most, *count);
        *count = most;
    }
    series.value = series.value.max(most);
}

/// Labels up to the brace that ends them, and what follows.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        rest = rest.trim_start();
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_end();
        let after = after.trim_start().strip_prefix('"')?;
        let end = end_of_text(after)?;
        let value = unescaped(&after[..end])?;
        if !is_name(name, false) || labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        rest = after[end + 1..].trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// Where the first quotation mark is that is no part of the text.
fn end_of_text(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// A text as it was before it was written; `None` when it ends within an escape.
fn unescaped(text: &str) -> Option<String> {
    let mut found = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            found.push(c);
            continue;
        }
        match rest.next()? {
            'n' => found.push('\n'),
            c @ ('\\' | '"') => found.push(c),
            // Others mean nothing, so both stand for themselves.
            c => found.extend(['\\', c]),
        }
    }
    Some(found)
}

/// Whether metrics, or labels, can have this name.
fn is_name(name: &str, of_metric: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (of_metric && c == ':');
    name.chars().all(fits) && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
}
