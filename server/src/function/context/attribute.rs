//! Attributes of a report.

use serde::Deserialize;

use super::Granularity;
use super::words::words;

/// An attribute that the report shows, through one of its labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// The attribute in the workspace's data model.
    pub attribute_identifier: String,
    /// Its title.
    pub attribute_title: String,
    /// The label that is shown.
    pub label_identifier: String,
    /// Its title.
    pub label_title: String,
    /// For attributes of a date: the period that is shown.
    #[serde(default)]
    pub date_granularity: Option<Granularity>,
    /// How the report is sorted by it.
    #[serde(default)]
    pub sorting: Option<Sorting>,
}

/// A column to sort by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sorting {
    /// The column.
    pub sort_column: String,
    /// Which end comes first.
    pub sort_direction: SortDirection,
}

words! {
    /// Which end comes first.
    pub enum SortDirection {
        /// The smallest.
        Asc = "ASC",
        /// The largest.
        Desc = "DESC",
    }
}
