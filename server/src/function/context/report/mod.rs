//! The definition of a report: what GoodData's analytical model asks for, of which the function's rows are one part.

mod date_filter;
mod filter;
mod metric;
mod metric_filter;
mod reference;

use serde::Deserialize;

pub use date_filter::{BoundedFilter, DateFilter, EmptyValues, Period};
pub use filter::{InlineFilter, LabelFilter, LabelMatchFilter, RankingFilter, RankingOperator, ReportFilter};
pub use metric::{
    Aggregation, ArithmeticMetric, ArithmeticOperator, Metric, MetricDefinition, OverPeriodMetric, PeriodAttribute,
    PeriodDataset, PreviousPeriodMetric, SimpleMetric,
};
pub use metric_filter::{Comparison, Condition, MetricValueFilter, RangeOperator};
pub use reference::{ObjectRef, Ref};

use super::absent_or_null;

/// The definition of a report.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportRequest {
    /// What the report is broken down by.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub attributes: Vec<ReportAttribute>,
    /// What it shows for each combination of those; `measures` on the wire.
    #[serde(default, rename = "measures", deserialize_with = "absent_or_null")]
    pub metrics: Vec<Metric>,
    /// What it leaves out.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub filters: Vec<ReportFilter>,
}

/// Something that a report is broken down by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportAttribute {
    /// The attribute's name within the report.
    pub local_identifier: String,
    /// The label that is shown.
    #[serde(deserialize_with = "reference::object")]
    pub label: ObjectRef,
    /// Whether values without data are shown too.
    pub show_all_values: bool,
}

#[cfg(test)]
mod tests;
