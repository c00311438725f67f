//! A request for the values of a label, for instance to choose a filter from.

use std::collections::HashSet;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::filter::{AbsoluteDateFilter, RelativeDateFilter, lists};
use super::report::ObjectRef;
use super::words::words;
use super::{Granularity, absent_or_null};

/// Which values of which label are wanted, and which page of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelElementsRequest {
    /// The label.
    pub label: String,
    /// How many values to skip.
    #[serde(default)]
    pub offset: Option<u64>,
    /// How many values to return at most.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Whether values that differ in their primary label only are one.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub exclude_primary_label: bool,
    /// The values to choose among; `None` is the empty value.
    #[serde(default)]
    pub exact_filter: Option<Vec<Option<String>>>,
    /// A text that values hold, whatever their case.
    #[serde(default)]
    pub pattern_filter: Option<String>,
    /// Whether the two filters tell the values to leave out.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub complement_filter: bool,
    /// Which label the filters look at.
    #[serde(default)]
    pub filter_by: Option<FilterBy>,
    /// Filters of other labels and of dates that the values depend on.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub depends_on: Vec<DependsOn>,
    /// What values must be used by.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub validate_by: Vec<ValidateBy>,
}

/// Which label the filters of a request look at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterBy {
    /// The kind of label; the requested one when it is absent.
    #[serde(default)]
    pub label_type: Option<LabelType>,
}

words! {
    /// One of the labels of an attribute.
    pub enum LabelType {
        /// The one whose values are wanted.
        Requested = "REQUESTED",
        /// The one that identifies the attribute's elements.
        Primary = "PRIMARY",
    }
}

/// An object that values must be used by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ValidateBy {
    /// The object.
    pub id: String,
    /// `label`, `attribute`, `fact` or `metric`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A filter that the wanted values depend on.
#[derive(Clone, Debug, PartialEq)]
pub enum DependsOn {
    /// On another label.
    Label(DependsOnLabel),
    /// On the dates of a data set, counted from the context's timestamp.
    RelativeDate(RelativeDateFilter),
    /// On the dates of a data set, between two of them.
    AbsoluteDate(AbsoluteDateFilter),
}

/// Another label has, or has not, one of these values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DependsOnLabel {
    /// The other label.
    pub label: String,
    /// Its values; `None` is the empty value.
    pub values: Vec<Option<String>>,
    /// Whether they are the values to leave out.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub complement_filter: bool,
}

impl LabelElementsRequest {
    /// Whether the request's filters let a value pass.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        let exact = self.exact_filter.as_ref().is_none_or(|values| lists(values, value));
        let pattern = self
            .pattern_filter
            .as_ref()
            .is_none_or(|pattern| value.is_some_and(|value| value.to_lowercase().contains(&pattern.to_lowercase())));
        if self.exact_filter.is_none() && self.pattern_filter.is_none() {
            return true;
        }
        (exact && pattern) != self.complement_filter
    }

    /// The values to answer with, in the order they come: those that pass, without doubles when the request says so, from
    /// `offset` on and no more than `limit`.
    pub fn page<V: AsRef<str>>(&self, values: impl IntoIterator<Item = Option<V>>) -> Vec<Option<String>> {
        let mut seen = HashSet::new();
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        values
            .into_iter()
            .filter(|value| self.passes(value.as_ref().map(AsRef::as_ref)))
            .map(|value| value.map(|value| value.as_ref().to_owned()))
            .filter(|value| !self.exclude_primary_label || seen.insert(value.clone()))
            .skip(self.offset.map_or(0, count))
            .take(self.limit.map_or(usize::MAX, count))
            .collect()
    }
}

impl DependsOnLabel {
    /// Whether a row with this value of the other label counts.
    #[must_use]
    pub fn passes(&self, value: Option<&str>) -> bool {
        lists(&self.values, value) != self.complement_filter
    }
}

impl<'de> Deserialize<'de> for DependsOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// As it travels: one of the two.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Sent {
            #[serde(default)]
            date_filter: Option<SentDate>,
            #[serde(default)]
            label: Option<String>,
            #[serde(default)]
            values: Option<Vec<Option<String>>>,
            #[serde(default)]
            complement_filter: Option<bool>,
        }
        let sent = Sent::deserialize(deserializer)?;
        if let Some(date) = sent.date_filter {
            return date.read().map_err(D::Error::custom);
        }
        Ok(Self::Label(DependsOnLabel {
            label: sent.label.ok_or_else(|| D::Error::missing_field("label"))?,
            values: sent.values.ok_or_else(|| D::Error::missing_field("values"))?,
            complement_filter: sent.complement_filter.unwrap_or_default(),
        }))
    }
}

/// A date filter as it travels: in an object that tells its kind, as the published schema has it, or flat, as the vendor's
/// library reads it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentDate {
    #[serde(default)]
    relative_date_filter: Option<SentPeriod>,
    #[serde(default)]
    absolute_date_filter: Option<SentPeriod>,
    #[serde(flatten)]
    flat: SentPeriod,
}

#[derive(Default, Deserialize)]
struct SentPeriod {
    #[serde(default)]
    from: Option<SentEnd>,
    #[serde(default)]
    to: Option<SentEnd>,
    #[serde(default)]
    granularity: Option<Granularity>,
    #[serde(default)]
    dataset: Option<SentDataset>,
}

/// A number of periods or a date, which is what tells the two kinds apart.
#[derive(Deserialize)]
#[serde(untagged)]
enum SentEnd {
    Periods(i64),
    Date(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SentDataset {
    Id(String),
    Object(ObjectRef),
    Reference { identifier: ObjectRef },
}

impl SentDataset {
    fn id(self) -> String {
        match self {
            Self::Id(id) => id,
            Self::Object(object) | Self::Reference { identifier: object } => object.id,
        }
    }
}

impl SentDate {
    fn read(self) -> Result<DependsOn, &'static str> {
        let sent = self
            .relative_date_filter
            .or(self.absolute_date_filter)
            .unwrap_or(self.flat);
        let dataset_identifier = sent.dataset.ok_or("a dateFilter without `dataset`")?.id();
        match (sent.from, sent.to, sent.granularity) {
            (Some(SentEnd::Periods(from)), Some(SentEnd::Periods(to)), Some(granularity)) => {
                Ok(DependsOn::RelativeDate(RelativeDateFilter {
                    dataset_identifier,
                    granularity,
                    from,
                    to,
                }))
            }
            (Some(SentEnd::Periods(_)), Some(SentEnd::Periods(_)), None) => {
                Err("a relative dateFilter without `granularity`")
            }
            (Some(SentEnd::Date(from)), Some(SentEnd::Date(to)), _) => {
                Ok(DependsOn::AbsoluteDate(AbsoluteDateFilter {
                    dataset_identifier,
                    from,
                    to,
                }))
            }
            (Some(_), Some(_), _) => Err("a dateFilter from a number to a date"),
            (None, _, _) | (_, None, _) => Err("a dateFilter without `from` and `to`"),
        }
    }
}

#[cfg(test)]
mod tests;
