//! Date filters of a report.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::reference::{self, ObjectRef};
use crate::function::FunctionError;
use crate::function::context::{Calendar, DateRange, Granularity};

/// A stretch of time of a date data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateFilter {
    /// The date data set.
    pub dataset: ObjectRef,
    /// Its days and times.
    pub period: Period,
    /// What becomes of rows without a date, where it is said.
    pub empty_values: Option<EmptyValues>,
}

/// How a stretch of time is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Period {
    /// Whatever the date.
    AllTime {
        /// What the dates are shown by.
        granularity: Option<Granularity>,
    },
    /// Periods counted from the context's timestamp, both ends included.
    Relative {
        /// The period.
        granularity: Granularity,
        /// The first one; the one of the timestamp is number 0.
        from: i64,
        /// The last one.
        to: i64,
        /// A second limit, of a larger period.
        bounded: Option<BoundedFilter>,
    },
    /// Two dates, both included, as in [`DateRange::between`].
    Absolute {
        /// The first.
        from: String,
        /// The last.
        to: String,
    },
}

/// From a period on, or up to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundedFilter {
    /// From this period on, to date.
    From(Granularity, i64),
    /// Up to this period.
    To(Granularity, i64),
}

/// What becomes of rows without a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EmptyValues {
    /// They are counted too.
    Include,
    /// They are left out.
    Exclude,
    /// They alone are counted.
    Only,
}

impl DateFilter {
    /// The days and times that pass, where there is a limit at all. Rows without a date are another matter:
    /// [`DateFilter::empty_values`].
    ///
    /// # Errors
    /// As [`Calendar::range`] and [`DateRange::between`].
    pub fn range(&self, calendar: &Calendar) -> Result<Option<DateRange>, FunctionError> {
        let dataset = &self.dataset.id;
        match &self.period {
            Period::AllTime { granularity: _ } => Ok(None),
            Period::Absolute { from, to } => DateRange::between(from, to).map(Some),
            Period::Relative {
                granularity,
                from,
                to,
                bounded,
            } => {
                let range = calendar.range(dataset, granularity, *from, *to)?;
                let Some(bounded) = bounded else { return Ok(Some(range)) };
                let bound = match bounded {
                    BoundedFilter::From(granularity, from) => DateRange {
                        start: calendar.range(dataset, granularity, *from, *from)?.start,
                        ..DateRange::ALL
                    },
                    BoundedFilter::To(granularity, to) => DateRange {
                        end: calendar.range(dataset, granularity, *to, *to)?.end,
                        ..DateRange::ALL
                    },
                };
                Ok(Some(range.intersect(bound)))
            }
        }
    }
}

/// `relativeDateFilter` as it travels.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentRelative {
    #[serde(deserialize_with = "reference::object")]
    dataset: ObjectRef,
    #[serde(deserialize_with = "plain")]
    granularity: Granularity,
    #[serde(default)]
    from: Option<i64>,
    #[serde(default)]
    to: Option<i64>,
    #[serde(default)]
    bounded_filter: Option<BoundedFilter>,
    #[serde(default)]
    empty_value_handling: Option<EmptyValues>,
}

/// `allTimeDateFilter` as it travels.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentAllTime {
    #[serde(deserialize_with = "reference::object")]
    dataset: ObjectRef,
    #[serde(default)]
    granularity: Option<Granularity>,
    #[serde(default)]
    empty_value_handling: Option<EmptyValues>,
}

/// `absoluteDateFilter` as it travels.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SentAbsolute {
    #[serde(deserialize_with = "reference::object")]
    dataset: ObjectRef,
    from: String,
    to: String,
    #[serde(default)]
    empty_value_handling: Option<EmptyValues>,
}

impl From<SentRelative> for DateFilter {
    fn from(sent: SentRelative) -> Self {
        let period = match (sent.from, sent.to) {
            (Some(from), Some(to)) => Period::Relative {
                granularity: sent.granularity,
                from,
                to,
                bounded: sent.bounded_filter,
            },
            // This is how "all time" is told by those who write no `allTimeDateFilter`.
            (None, _) | (_, None) => Period::AllTime {
                granularity: Some(sent.granularity),
            },
        };
        Self {
            dataset: sent.dataset,
            period,
            empty_values: sent.empty_value_handling,
        }
    }
}

impl From<SentAllTime> for DateFilter {
    fn from(sent: SentAllTime) -> Self {
        Self {
            dataset: sent.dataset,
            period: Period::AllTime {
                granularity: sent.granularity,
            },
            empty_values: sent.empty_value_handling,
        }
    }
}

impl From<SentAbsolute> for DateFilter {
    fn from(sent: SentAbsolute) -> Self {
        Self {
            dataset: sent.dataset,
            period: Period::Absolute {
                from: sent.from,
                to: sent.to,
            },
            empty_values: sent.empty_value_handling,
        }
    }
}

impl<'de> Deserialize<'de> for BoundedFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Sent {
            #[serde(deserialize_with = "plain")]
            granularity: Granularity,
            #[serde(default)]
            from: Option<i64>,
            #[serde(default)]
            to: Option<i64>,
        }
        let sent = Sent::deserialize(deserializer)?;
        match (sent.from, sent.to) {
            (Some(from), None) => Ok(Self::From(sent.granularity, from)),
            (None, Some(to)) => Ok(Self::To(sent.granularity, to)),
            (Some(_), Some(_)) | (None, None) => Err(D::Error::custom("it must have either `from` or `to`")),
        }
    }
}

/// A granularity that reports may filter by. Here a word that is not known is an error, since nothing may be guessed
/// about the numbers of a report.
fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Granularity, D::Error> {
    match Granularity::deserialize(deserializer)? {
        granularity @ (Granularity::Timestamp | Granularity::AllTime | Granularity::Other(_)) => Err(D::Error::custom(
            format_args!("unsupported granularity '{granularity}'"),
        )),
        granularity => Ok(granularity),
    }
}
