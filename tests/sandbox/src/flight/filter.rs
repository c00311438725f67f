//! Filters of a query: as GoodData writes them in the execution context, and as people type them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A filter as it stands in the execution context, flat and named by `filterType`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "filterType",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Filter {
    /// The label has one of these values.
    PositiveAttributeFilter {
        /// The id of the label.
        label_identifier: String,
        /// Null stands for the empty value.
        values: Vec<Option<String>>,
    },
    /// The label has none of these values.
    NegativeAttributeFilter {
        /// The id of the label.
        label_identifier: String,
        /// Null stands for the empty value.
        values: Vec<Option<String>>,
    },
    /// The label's text contains, starts or ends with something.
    MatchAttributeFilter {
        /// The id of the label.
        label_identifier: String,
        /// How the text is compared.
        match_type: MatchType,
        /// What it is compared with.
        literal: String,
        /// Whether the label must not match.
        #[serde(default)]
        negate: bool,
        /// Whether upper and lower case differ.
        #[serde(default)]
        case_sensitive: bool,
    },
    /// Periods before and after the one that the execution's timestamp is in.
    RelativeDateFilter {
        /// The id of the date dataset.
        dataset_identifier: String,
        /// The length of a period.
        granularity: Granularity,
        /// The first period; 0 is the present one, -1 the one before.
        from: i64,
        /// The last period.
        to: i64,
    },
    /// From a day or minute to another, both included.
    AbsoluteDateFilter {
        /// The id of the date dataset.
        dataset_identifier: String,
        /// `YYYY-MM-DD` or `YYYY-MM-DD HH:MM`.
        from: String,
        /// The same.
        to: String,
    },
}

/// How a [`Filter::MatchAttributeFilter`] compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MatchType {
    /// Anywhere in the text.
    Contains,
    /// At its start.
    StartsWith,
    /// At its end.
    EndsWith,
}

/// The length of the periods of a [`Filter::RelativeDateFilter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Granularity {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// A query that cannot be asked; its text says what is wrong and how to write it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidQuery(pub(crate) String);

impl Filter {
    /// Reads an attribute filter as people write it: `LABEL=VALUE,VALUE`, `LABEL!=VALUE,VALUE`, `LABEL~TEXT` for
    /// contains, `LABEL^=TEXT` for starts with, `LABEL$=TEXT` for ends with. The value `(empty)` stands for null.
    pub fn parse_attribute(text: &str) -> Result<Self, InvalidQuery> {
        let invalid = || {
            InvalidQuery(format!(
                "`{text}` is no filter: write LABEL=A,B or LABEL!=A,B, LABEL~TEXT (contains), LABEL^=TEXT (starts \
                 with) or LABEL$=TEXT (ends with)"
            ))
        };
        let at = text.find(['=', '~']).filter(|at| *at > 0).ok_or_else(invalid)?;
        let (label, argument) = (&text[..at], &text[at + 1..]);
        let matches = |label: &str, match_type| Self::MatchAttributeFilter {
            label_identifier: label.to_owned(),
            match_type,
            literal: argument.to_owned(),
            negate: false,
            case_sensitive: false,
        };
        let values = || {
            argument
                .split(',')
                .map(|value| (value != "(empty)").then(|| value.to_owned()))
                .collect()
        };
        let filter = if text[at..].starts_with('~') {
            matches(label, MatchType::Contains)
        } else if let Some(label) = label.strip_suffix('!') {
            Self::NegativeAttributeFilter {
                label_identifier: label.to_owned(),
                values: values(),
            }
        } else if let Some(label) = label.strip_suffix('^') {
            matches(label, MatchType::StartsWith)
        } else if let Some(label) = label.strip_suffix('$') {
            matches(label, MatchType::EndsWith)
        } else {
            Self::PositiveAttributeFilter {
                label_identifier: label.to_owned(),
                values: values(),
            }
        };
        if filter.subject().is_empty() {
            Err(invalid())
        } else {
            Ok(filter)
        }
    }

    /// Reads a date range: `[DATASET=]FROM..TO` with days (`2025-01-01..2025-01-31`) or, counted from now,
    /// `[DATASET=]GRANULARITY:FROM..TO` (`month:-11..0`). Without a dataset it is `date`.
    pub fn parse_date_range(text: &str) -> Result<Self, InvalidQuery> {
        let invalid = || {
            InvalidQuery(format!(
                "`{text}` is no date range: write 2025-01-01..2025-01-31 or month:-11..0, with DATASET= in front when \
                 the dataset is not `date`"
            ))
        };
        let (dataset, range) = text.split_once('=').unwrap_or(("date", text));
        let (start, to) = range.split_once("..").ok_or_else(invalid)?;
        if dataset.is_empty() {
            return Err(invalid());
        }
        let dataset_identifier = dataset.to_owned();
        // A colon may also be part of a time of day.
        if let Some((name, from)) = start.split_once(':')
            && let Ok(granularity) = Granularity::from_str(name)
        {
            let (from, to) = from.parse().ok().zip(to.parse().ok()).ok_or_else(invalid)?;
            return Ok(Self::RelativeDateFilter {
                dataset_identifier,
                granularity,
                from,
                to,
            });
        }
        for end in [start, to] {
            let day = end.parse::<jiff::civil::Date>().is_ok();
            if !day && jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M", end).is_err() {
                return Err(invalid());
            }
        }
        Ok(Self::AbsoluteDateFilter {
            dataset_identifier,
            from: start.to_owned(),
            to: to.to_owned(),
        })
    }

    fn subject(&self) -> &str {
        match self {
            Self::PositiveAttributeFilter { label_identifier, .. }
            | Self::NegativeAttributeFilter { label_identifier, .. }
            | Self::MatchAttributeFilter { label_identifier, .. } => label_identifier,
            Self::RelativeDateFilter { dataset_identifier, .. }
            | Self::AbsoluteDateFilter { dataset_identifier, .. } => dataset_identifier,
        }
    }
}

impl FromStr for Granularity {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        clap::ValueEnum::from_str(name, true)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(filter: Result<Filter, InvalidQuery>) -> Value {
        serde_json::to_value(filter.unwrap()).unwrap()
    }

    #[test]
    fn filters_as_people_write_them() {
        for (text, expected) in [
            (
                "r=A,(empty)",
                json!({"filterType":"positiveAttributeFilter","labelIdentifier":"r","values":["A",null]}),
            ),
            (
                "r!=A",
                json!({"filterType":"negativeAttributeFilter","labelIdentifier":"r","values":["A"]}),
            ),
            (
                "F.r~a=b",
                json!({"filterType":"matchAttributeFilter","labelIdentifier":"F.r","matchType":"CONTAINS",
                       "literal":"a=b","negate":false,"caseSensitive":false}),
            ),
            (
                "r$=z",
                json!({"filterType":"matchAttributeFilter","labelIdentifier":"r","matchType":"ENDS_WITH",
                       "literal":"z","negate":false,"caseSensitive":false}),
            ),
        ] {
            assert_eq!(written(Filter::parse_attribute(text)), expected, "{text}");
        }
        for text in ["r", "=A", "!=A", ""] {
            assert!(
                Filter::parse_attribute(text)
                    .unwrap_err()
                    .to_string()
                    .contains("is no filter"),
                "{text}"
            );
        }
    }

    #[test]
    fn date_ranges_as_people_write_them() {
        for (text, expected) in [
            (
                "2025-01-01..2025-01-31",
                json!({"filterType":"absoluteDateFilter","datasetIdentifier":"date","from":"2025-01-01",
                       "to":"2025-01-31"}),
            ),
            (
                "F.day=2025-01-01 08:00..2025-01-31 23:59",
                json!({"filterType":"absoluteDateFilter","datasetIdentifier":"F.day","from":"2025-01-01 08:00",
                       "to":"2025-01-31 23:59"}),
            ),
            (
                "MONTH:-11..0",
                json!({"filterType":"relativeDateFilter","datasetIdentifier":"date","granularity":"MONTH",
                       "from":-11,"to":0}),
            ),
        ] {
            assert_eq!(written(Filter::parse_date_range(text)), expected, "{text}");
        }
        for text in [
            "2025-01-01",
            "2025-13-01..2025-01-01",
            "month:a..0",
            "eon:0..1",
            "=2025-01-01..2025-01-02",
        ] {
            assert!(
                Filter::parse_date_range(text)
                    .unwrap_err()
                    .to_string()
                    .contains("is no date range"),
                "{text}"
            );
        }
    }
}
