//! The metrics of a report.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::filter::ReportFilter;
use super::reference::{self, ObjectRef, Ref};
use crate::function::context::absent_or_null;

/// A number that a report shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// The metric's name within the report.
    pub local_identifier: String,
    /// How it is computed.
    pub definition: MetricDefinition,
}

/// How a metric is computed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum MetricDefinition {
    /// From a fact, a label or a metric of the workspace.
    #[serde(rename = "measure")]
    Simple(SimpleMetric),
    /// From other metrics of the report.
    #[serde(rename = "arithmeticMeasure")]
    Arithmetic(ArithmeticMetric),
    /// Another metric of the report, the same time some periods ago.
    #[serde(rename = "overPeriodMeasure")]
    OverPeriod(OverPeriodMetric),
    /// Another metric of the report, over the stretch of time before the filtered one.
    #[serde(rename = "previousPeriodMeasure")]
    PreviousPeriod(PreviousPeriodMetric),
}

/// A fact, a label or a metric of the workspace, aggregated.
#[derive(Clone, Debug, PartialEq)]
pub struct SimpleMetric {
    /// What is aggregated.
    pub item: ObjectRef,
    /// How; `None` for a metric of the workspace, which has its own way.
    pub aggregation: Option<Aggregation>,
    /// Whether shares of the whole are shown.
    pub compute_ratio: bool,
    /// What this metric leaves out, on top of the report's own filters.
    pub filters: Vec<ReportFilter>,
}

/// How values are made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Aggregation {
    Sum,
    Avg,
    Count,
    ApproximateCount,
    Max,
    Median,
    Min,
    Runsum,
}

/// Two or more metrics of the report, combined.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArithmeticMetric {
    /// How they are combined.
    pub operator: ArithmeticOperator,
    /// The metrics, by their local identifiers.
    #[serde(rename = "measureIdentifiers", deserialize_with = "reference::locals")]
    pub metrics: Vec<String>,
}

/// How metrics are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ArithmeticOperator {
    /// All together.
    Sum,
    /// The first without the second.
    Difference,
    /// All multiplied.
    Multiplication,
    /// The first divided by the second.
    Ratio,
    /// By how much of the second the first differs from it.
    Change,
}

/// A metric of the report, the same time some periods ago.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverPeriodMetric {
    /// The metric, by its local identifier.
    #[serde(rename = "measureIdentifier", deserialize_with = "reference::local")]
    pub metric: String,
    /// The periods.
    pub date_attributes: Vec<PeriodAttribute>,
}

/// So many periods of a date attribute.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodAttribute {
    /// The date attribute, such as `date.year`.
    #[serde(deserialize_with = "reference::object")]
    pub attribute: ObjectRef,
    /// How many periods.
    pub periods_ago: i64,
}

/// A metric of the report, over the stretch of time before the filtered one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviousPeriodMetric {
    /// The metric, by its local identifier.
    #[serde(rename = "measureIdentifier", deserialize_with = "reference::local")]
    pub metric: String,
    /// The date data sets.
    pub date_datasets: Vec<PeriodDataset>,
}

/// So many stretches of time of a date data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeriodDataset {
    /// The date data set.
    #[serde(deserialize_with = "dataset")]
    pub dataset: ObjectRef,
    /// How many stretches.
    pub periods_ago: i64,
}

/// A local identifier is taken for that of a data set.
fn dataset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectRef, D::Error> {
    Ok(match Ref::deserialize(deserializer)? {
        Ref::Object(object) => object,
        Ref::Local(id) => ObjectRef {
            id,
            kind: "dataset".to_owned(),
        },
    })
}

impl<'de> Deserialize<'de> for SimpleMetric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Sent {
            #[serde(deserialize_with = "reference::object")]
            item: ObjectRef,
            #[serde(default)]
            aggregation: Option<String>,
            #[serde(default, deserialize_with = "absent_or_null")]
            compute_ratio: bool,
            #[serde(default, deserialize_with = "absent_or_null")]
            filters: Vec<ReportFilter>,
        }
        let sent = Sent::deserialize(deserializer)?;
        let aggregation = match sent.aggregation {
            _ if sent.item.kind == "metric" => None,
            None => Some(Aggregation::Sum),
            Some(word) => Some(
                Aggregation::from_word(&word)
                    .ok_or_else(|| D::Error::custom(format_args!("unknown aggregation '{word}'")))?,
            ),
        };
        Ok(Self {
            item: sent.item,
            aggregation,
            compute_ratio: sent.compute_ratio,
            filters: sent.filters,
        })
    }
}

impl Aggregation {
    /// Written in any case.
    fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "SUM" => Self::Sum,
            "AVG" => Self::Avg,
            "COUNT" => Self::Count,
            "APPROXIMATE_COUNT" => Self::ApproximateCount,
            "MAX" => Self::Max,
            "MEDIAN" => Self::Median,
            "MIN" => Self::Min,
            "RUNSUM" => Self::Runsum,
            _ => return None,
        })
    }
}
