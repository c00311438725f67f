//! Filters on the rows of a function.

use serde::Deserialize;

use super::Granularity;

/// A filter that GoodData wants applied. A function may leave it to GoodData, which filters again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "filterType")]
pub enum Filter {
    /// The label has one of these values.
    #[serde(rename = "positiveAttributeFilter")]
    PositiveAttribute(PositiveAttributeFilter),
    /// The label has none of these values.
    #[serde(rename = "negativeAttributeFilter")]
    NegativeAttribute(NegativeAttributeFilter),
    /// The label's text matches.
    #[serde(rename = "matchAttributeFilter")]
    MatchAttribute(MatchAttributeFilter),
    /// The date lies so many periods from now.
    #[serde(rename = "relativeDateFilter")]
    RelativeDate(RelativeDateFilter),
    /// The date lies between two dates.
    #[serde(rename = "absoluteDateFilter")]
    AbsoluteDate(AbsoluteDateFilter),
}

/// `label IN (values)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PositiveAttributeFilter {
    /// The label.
    pub label_identifier: String,
    /// The values; `None` is the empty value.
    pub values: Vec<Option<String>>,
}

/// `label NOT IN (values)`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NegativeAttributeFilter {
    /// The label.
    pub label_identifier: String,
    /// The values; `None` is the empty value. No values: everything passes.
    pub values: Vec<Option<String>>,
}

/// `label LIKE …`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchAttributeFilter {
    /// The label.
    pub label_identifier: String,
    /// Where the text must be.
    pub match_type: MatchType,
    /// The text.
    pub literal: String,
    /// Whether rows that match are the ones to leave out.
    #[serde(default)]
    pub negate: bool,
    /// Whether upper and lower case differ.
    #[serde(default)]
    pub case_sensitive: bool,
}

/// Where a text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MatchType {
    /// Anywhere.
    Contains,
    /// At the start.
    StartsWith,
    /// At the end.
    EndsWith,
    /// A way that this version does not know.
    #[serde(other)]
    Other,
}

/// Periods counted from the one that holds the context's timestamp, which is number 0. Both ends are included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RelativeDateFilter {
    /// The date data set.
    pub dataset_identifier: String,
    /// The period.
    pub granularity: Granularity,
    /// The first period.
    pub from: i64,
    /// The last period.
    pub to: i64,
}

/// Two dates, each possibly with hour and minute. Both ends are included: a date as a whole day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsoluteDateFilter {
    /// The date data set.
    pub dataset_identifier: String,
    /// `YYYY-M-D` or `YYYY-M-D H:M`.
    pub from: String,
    /// `YYYY-M-D` or `YYYY-M-D H:M`.
    pub to: String,
}
