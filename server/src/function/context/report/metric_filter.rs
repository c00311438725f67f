//! Filters on the numbers that a report shows.

use serde::Deserialize;

use super::reference::Ref;
use crate::function::context::absent_or_null;

/// Only rows whose metric meets one of the conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricValueFilter {
    /// The metric.
    pub metric: Ref,
    /// One of them must hold. None: every row passes.
    pub conditions: Vec<Condition>,
    /// The number that stands for a missing one.
    pub null_as: Option<f64>,
    /// What the metric is broken down by for the comparison, where it is not the whole report's breakdown.
    pub dimensionality: Vec<Ref>,
}

/// What a number is held against.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// One number.
    Comparison {
        /// How the metric must compare.
        operator: Comparison,
        /// To this number.
        value: f64,
    },
    /// Two numbers, both included.
    Range {
        /// Within or outside.
        operator: RangeOperator,
        /// The smaller one.
        from: f64,
        /// The larger one.
        to: f64,
    },
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Comparison {
    GreaterThan,
    GreaterThanOrEqualTo,
    LessThan,
    LessThanOrEqualTo,
    EqualTo,
    NotEqualTo,
}

/// Within a range or outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum RangeOperator {
    Between,
    NotBetween,
}

impl MetricValueFilter {
    /// Whether a row with this value of the metric passes. A missing number without a stand-in passes only when there is
    /// no condition.
    #[must_use]
    pub fn passes(&self, value: Option<f64>) -> bool {
        let value = value.or(self.null_as);
        self.conditions.is_empty()
            || value.is_some_and(|value| self.conditions.iter().any(|condition| condition.holds(value)))
    }
}

impl Condition {
    /// Whether a number meets it.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "the condition asks for the very number")]
    pub fn holds(&self, number: f64) -> bool {
        match *self {
            Self::Comparison { operator, value } => match operator {
                Comparison::GreaterThan => number > value,
                Comparison::GreaterThanOrEqualTo => number >= value,
                Comparison::LessThan => number < value,
                Comparison::LessThanOrEqualTo => number <= value,
                Comparison::EqualTo => number == value,
                Comparison::NotEqualTo => number != value,
            },
            Self::Range { operator, from, to } => {
                let within = from <= number && number <= to;
                match operator {
                    RangeOperator::Between => within,
                    RangeOperator::NotBetween => !within,
                }
            }
        }
    }
}

/// What the three kinds of metric filters share as they travel.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shared {
    measure: Ref,
    #[serde(default)]
    treat_null_values_as: Option<f64>,
    #[serde(default, deserialize_with = "absent_or_null")]
    dimensionality: Vec<Ref>,
}

impl Shared {
    fn with(self, conditions: Vec<Condition>) -> MetricValueFilter {
        MetricValueFilter {
            metric: self.measure,
            conditions,
            null_as: self.treat_null_values_as,
            dimensionality: self.dimensionality,
        }
    }
}

/// `comparisonMeasureValueFilter` as it travels.
#[derive(Deserialize)]
pub(super) struct SentComparison {
    #[serde(flatten)]
    shared: Shared,
    operator: Comparison,
    value: f64,
}

/// `rangeMeasureValueFilter` as it travels.
#[derive(Deserialize)]
pub(super) struct SentRange {
    #[serde(flatten)]
    shared: Shared,
    operator: RangeOperator,
    from: f64,
    to: f64,
}

/// `compoundMeasureValueFilter` as it travels.
#[derive(Deserialize)]
pub(super) struct SentCompound {
    #[serde(flatten)]
    shared: Shared,
    #[serde(default, deserialize_with = "absent_or_null")]
    conditions: Vec<Condition>,
}

impl From<SentComparison> for MetricValueFilter {
    fn from(sent: SentComparison) -> Self {
        let SentComparison {
            shared,
            operator,
            value,
        } = sent;
        shared.with(vec![Condition::Comparison { operator, value }])
    }
}

impl From<SentRange> for MetricValueFilter {
    fn from(sent: SentRange) -> Self {
        let SentRange {
            shared,
            operator,
            from,
            to,
        } = sent;
        shared.with(vec![Condition::Range { operator, from, to }])
    }
}

impl From<SentCompound> for MetricValueFilter {
    fn from(sent: SentCompound) -> Self {
        sent.shared.with(sent.conditions)
    }
}
