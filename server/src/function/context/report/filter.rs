//! The filters of a report, and of a single metric in it.

use serde::{Deserialize, Deserializer};

use super::date_filter::{DateFilter, SentAbsolute, SentAllTime, SentRelative};
use super::metric_filter::{MetricValueFilter, SentComparison, SentCompound, SentRange};
use super::reference::Ref;
use crate::function::context::absent_or_null;
use crate::function::context::filter::{MatchType, Pattern, lists};

/// What a report, or a metric, leaves out.
#[derive(Clone, Debug, PartialEq)]
pub enum ReportFilter {
    /// A label has one of some values.
    PositiveAttribute(LabelFilter),
    /// A label has none of some values.
    NegativeAttribute(LabelFilter),
    /// A label's text matches.
    MatchAttribute(LabelMatchFilter),
    /// A date lies in a stretch of time.
    Date(DateFilter),
    /// A metric has certain values.
    MetricValue(MetricValueFilter),
    /// Metrics are among the largest, or smallest.
    Ranking(RankingFilter),
    /// A condition in MAQL.
    Inline(InlineFilter),
}

/// Values of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelFilter {
    /// The label, or the report's attribute that shows it.
    pub label: Ref,
    /// The values; `None` is the empty value.
    pub values: Vec<Option<String>>,
}

impl LabelFilter {
    /// Whether a value is one of the filter's.
    #[must_use]
    pub fn lists(&self, value: Option<&str>) -> bool {
        lists(&self.values, value)
    }
}

/// A text that a label matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelMatchFilter {
    /// The label, or the report's attribute that shows it.
    pub label: Ref,
    /// How the text is compared. Where the text must be is never [`MatchType::Other`] here.
    pub pattern: Pattern,
}

/// The rows with the largest, or smallest, metrics.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RankingFilter {
    /// The metrics; `measures` on the wire.
    #[serde(rename = "measures")]
    pub metrics: Vec<Ref>,
    /// Which end.
    pub operator: RankingOperator,
    /// How many rows.
    pub value: i64,
    /// What rows are ranked within, where it is not the whole report.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub dimensionality: Vec<Ref>,
}

/// Which end of a ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RankingOperator {
    /// The largest.
    Top,
    /// The smallest.
    Bottom,
}

/// A condition in MAQL.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct InlineFilter {
    /// Such as `{label/region} = "West"`.
    pub filter: String,
}

/// A filter as it travels: an object whose single key names the kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Sent {
    PositiveAttributeFilter {
        label: Ref,
        r#in: SentValues,
    },
    NegativeAttributeFilter {
        label: Ref,
        #[serde(rename = "notIn")]
        not_in: SentValues,
    },
    MatchAttributeFilter(SentMatch),
    RelativeDateFilter(SentRelative),
    AllTimeDateFilter(SentAllTime),
    AbsoluteDateFilter(SentAbsolute),
    ComparisonMeasureValueFilter(SentComparison),
    RangeMeasureValueFilter(SentRange),
    CompoundMeasureValueFilter(SentCompound),
    RankingFilter(RankingFilter),
    Inline(InlineFilter),
}

#[derive(Deserialize)]
struct SentValues {
    #[serde(deserialize_with = "absent_or_null")]
    values: Vec<Option<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentMatch {
    label: Ref,
    match_type: SentMatchType,
    literal: String,
    #[serde(default, deserialize_with = "absent_or_null")]
    negate: bool,
    #[serde(default, deserialize_with = "absent_or_null")]
    case_sensitive: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SentMatchType {
    Contains,
    StartsWith,
    EndsWith,
}

impl<'de> Deserialize<'de> for ReportFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sent::deserialize(deserializer).map(Self::from)
    }
}

impl From<Sent> for ReportFilter {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::PositiveAttributeFilter { label, r#in } => Self::PositiveAttribute(LabelFilter {
                label,
                values: r#in.values,
            }),
            Sent::NegativeAttributeFilter { label, not_in } => Self::NegativeAttribute(LabelFilter {
                label,
                values: not_in.values,
            }),
            Sent::MatchAttributeFilter(sent) => Self::MatchAttribute(sent.into()),
            Sent::RelativeDateFilter(sent) => Self::Date(sent.into()),
            Sent::AllTimeDateFilter(sent) => Self::Date(sent.into()),
            Sent::AbsoluteDateFilter(sent) => Self::Date(sent.into()),
            Sent::ComparisonMeasureValueFilter(sent) => Self::MetricValue(sent.into()),
            Sent::RangeMeasureValueFilter(sent) => Self::MetricValue(sent.into()),
            Sent::CompoundMeasureValueFilter(sent) => Self::MetricValue(sent.into()),
            Sent::RankingFilter(filter) => Self::Ranking(filter),
            Sent::Inline(filter) => Self::Inline(filter),
        }
    }
}

impl From<SentMatch> for LabelMatchFilter {
    fn from(sent: SentMatch) -> Self {
        Self {
            label: sent.label,
            pattern: Pattern {
                match_type: match sent.match_type {
                    SentMatchType::Contains => MatchType::Contains,
                    SentMatchType::StartsWith => MatchType::StartsWith,
                    SentMatchType::EndsWith => MatchType::EndsWith,
                },
                literal: sent.literal,
                negate: sent.negate,
                case_sensitive: sent.case_sensitive,
            },
        }
    }
}
