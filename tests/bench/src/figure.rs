//! A figure of the report: what was measured, against what, and whether it is good enough.

use serde::Serialize;

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

impl Better {
    /// Whether a value is at least as good as a bound.
    pub(crate) fn reaches(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Higher => value >= bound,
            Self::Lower => value <= bound,
        }
    }
}

/// What a figure should reach: a ratio where there is a baseline, else a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Goal {
    /// What is aimed for.
    pub(crate) target: f64,
    /// What must be reached: the low end of the range of the best prototype.
    pub(crate) floor: f64,
}

impl Goal {
    /// Aimed for and asked for alike.
    pub(crate) const fn at(target: f64) -> Self {
        Self { target, floor: target }
    }

    pub(crate) const fn or(self, floor: f64) -> Self {
        Self { floor, ..self }
    }
}

/// Median and ends of what was measured repeatedly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&low, &high) = (sorted.first()?, sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, low, high })
    }
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) value: Option<Spread>,
    /// What it is compared with, measured in the same run.
    pub(crate) baseline: Option<Spread>,
    /// What the baseline is, for people.
    pub(crate) against: &'static str,
    /// Of values and baselines of the same repetition.
    pub(crate) ratio: Option<Spread>,
    pub(crate) goal: Option<Goal>,
}

impl Figure {
    /// Measured repeatedly, with a baseline in each repetition.
    pub(crate) fn paired(
        name: String,
        unit: &'static str,
        better: Better,
        (values, baselines): (&[f64], &[f64]),
        against: &'static str,
        goal: Option<Goal>,
    ) -> Self {
        let ratios: Vec<_> = values
            .iter()
            .zip(baselines)
            .map(|(value, baseline)| value / baseline)
            .collect();
        Self {
            name,
            unit,
            better,
            value: Spread::of(values),
            baseline: Spread::of(baselines),
            against,
            ratio: Spread::of(&ratios),
            goal,
        }
    }

    /// Without a baseline; the goal, where there is one, is of the value itself.
    pub(crate) fn single(
        name: impl Into<String>,
        unit: &'static str,
        better: Better,
        values: &[f64],
        goal: Option<Goal>,
    ) -> Self {
        Self {
            name: name.into(),
            unit,
            better,
            value: Spread::of(values),
            baseline: None,
            against: "",
            ratio: None,
            goal,
        }
    }

    /// Whether the median is good enough; nothing where nothing is asked for.
    pub(crate) fn met(&self) -> Option<bool> {
        self.goal.map(|goal| self.reaches(goal.floor))
    }

    /// Whether even the target is reached.
    pub(crate) fn reaches_target(&self) -> Option<bool> {
        self.goal.map(|goal| self.reaches(goal.target))
    }

    fn reaches(&self, bound: f64) -> bool {
        let judged = if self.baseline.is_some() {
            self.ratio
        } else {
            self.value
        };
        judged.is_some_and(|spread| spread.median.is_finite() && self.better.reaches(spread.median, bound))
    }

    /// As `bench.json` has it.
    pub(crate) fn entry(&self) -> Entry<'_> {
        let median = |spread: Option<Spread>| spread.map(|spread| spread.median).filter(|value| value.is_finite());
        Entry {
            name: &self.name,
            value: median(self.value),
            unit: self.unit,
            baseline: median(self.baseline),
            ratio: median(self.ratio),
            target: self.goal.map(|goal| goal.target),
            met: self.met(),
        }
    }
}

/// One entry of `bench.json`. `target` is of `ratio` where there is one, else of `value`.
#[derive(Debug, Serialize)]
pub(crate) struct Entry<'a> {
    name: &'a str,
    value: Option<f64>,
    unit: &'a str,
    baseline: Option<f64>,
    ratio: Option<f64>,
    target: Option<f64>,
    met: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(better: Better, values: &[f64], goal: Goal) -> Figure {
        Figure::paired(
            "x".to_owned(),
            "ms",
            better,
            (values, &[2.0, 4.0, 8.0]),
            "vendor",
            Some(goal),
        )
    }

    #[test]
    fn the_median_of_the_ratios_is_judged_not_the_ratio_of_the_medians() {
        let figure = figure(Better::Higher, &[20.0, 8.0, 24.0], Goal::at(4.0).or(3.0));
        assert_eq!(
            figure.ratio,
            Some(Spread {
                median: 3.0,
                low: 2.0,
                high: 10.0
            })
        );
        assert_eq!((figure.met(), figure.reaches_target()), (Some(true), Some(false)));
    }

    #[test]
    fn lower_is_better_where_it_is_said() {
        let goal = Goal::at(0.5);
        assert_eq!(figure(Better::Lower, &[1.0, 2.0, 5.0], goal).met(), Some(true));
        assert_eq!(figure(Better::Lower, &[1.1, 2.2, 4.4], goal).met(), Some(false));
    }

    #[test]
    fn nothing_measured_is_not_met() {
        let figure = Figure::single("x", "ms", Better::Lower, &[], Some(Goal::at(1.0)));
        assert_eq!(figure.met(), Some(false));
        let without_baseline = Figure::paired(
            "x".to_owned(),
            "ms",
            Better::Higher,
            (&[1.0], &[0.0]),
            "vendor",
            Some(Goal::at(1.0)),
        );
        assert_eq!(without_baseline.met(), Some(false));
        assert_eq!(
            Figure::single("x", "ms", Better::Lower, &[f64::NAN], Some(Goal::at(1.0))).met(),
            Some(false)
        );
    }
}
