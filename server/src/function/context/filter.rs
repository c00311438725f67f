//! Filters on the rows of a function.

use serde::Deserialize;

use super::words::words;
use super::{Calendar, DateRange, Granularity};
use crate::function::FunctionError;

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
    /// How the text is compared.
    #[serde(flatten)]
    pub pattern: Pattern,
}

/// A text, and how it is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pattern {
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

words! {
    /// Where a text must be.
    pub enum MatchType {
        /// Anywhere.
        Contains = "CONTAINS",
        /// At the start.
        StartsWith = "STARTS_WITH",
        /// At the end.
        EndsWith = "ENDS_WITH",
    }
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

impl Filter {
    /// The label, or the date data set, that the filter is about.
    #[must_use]
    pub fn identifier(&self) -> &str {
        match self {
            Self::PositiveAttribute(filter) => &filter.label_identifier,
            Self::NegativeAttribute(filter) => &filter.label_identifier,
            Self::MatchAttribute(filter) => &filter.label_identifier,
            Self::RelativeDate(filter) => &filter.dataset_identifier,
            Self::AbsoluteDate(filter) => &filter.dataset_identifier,
        }
    }
}

impl PositiveAttributeFilter {
    /// Whether a row with this value of the label passes.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        lists(&self.values, value)
    }
}

impl NegativeAttributeFilter {
    /// Whether a row with this value of the label passes.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        !lists(&self.values, value)
    }
}

/// Whether a list of values has this one.
pub(super) fn lists(values: &[Option<String>], value: Option<&str>) -> bool {
    values.iter().any(|listed| listed.as_deref() == value)
}

impl MatchAttributeFilter {
    /// Whether a row with this value of the label passes. See [`Pattern::passes`].
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        self.pattern.passes(value)
    }
}

impl Pattern {
    /// Whether a value passes. The empty value has no text: it passes a negated pattern only. Where it is not understood
    /// where the text must be, everything passes, since GoodData filters again.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        let Some(value) = value else {
            return self.negate || matches!(self.match_type, MatchType::Other(_));
        };
        let found = if self.case_sensitive {
            self.match_type.finds(&self.literal, value)
        } else {
            self.match_type
                .finds(&self.literal.to_lowercase(), &value.to_lowercase())
        };
        found.is_none_or(|found| found != self.negate)
    }
}

impl MatchType {
    fn finds(&self, literal: &str, value: &str) -> Option<bool> {
        match self {
            Self::Contains => Some(value.contains(literal)),
            Self::StartsWith => Some(value.starts_with(literal)),
            Self::EndsWith => Some(value.ends_with(literal)),
            Self::Other(_) => None,
        }
    }
}

impl RelativeDateFilter {
    /// The days and times that pass.
    ///
    /// # Errors
    /// As [`Calendar::range`].
    pub fn range(&self, calendar: &Calendar) -> Result<DateRange, FunctionError> {
        calendar.range(&self.dataset_identifier, &self.granularity, self.from, self.to)
    }
}

impl AbsoluteDateFilter {
    /// The days and times that pass.
    ///
    /// # Errors
    /// As [`DateRange::between`].
    pub fn range(&self) -> Result<DateRange, FunctionError> {
        DateRange::between(&self.from, &self.to)
    }
}
