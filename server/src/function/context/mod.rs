//! What GoodData says about the report, or the list of values, that a call is for.
//!
//! Reading is tolerant: unknown keys are ignored, null is absent, unknown words and initiators are kept as sent. What a
//! function would misread without noticing is refused with `BAD_ARGUMENT`: a missing identifier, a wrong type, a filter of
//! unknown type. The definition of the report is read when a function asks for it, so that what is new in it breaks only
//! functions that look at it.

mod attribute;
mod calendar;
mod date_range;
mod filter;
mod granularity;
mod initiator;
pub mod label_elements;
pub mod report;
mod rows;
mod words;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use attribute::{Attribute, SortDirection, Sorting};
pub use calendar::Calendar;
pub use date_range::DateRange;
pub use filter::{
    AbsoluteDateFilter, Filter, MatchAttributeFilter, MatchType, NegativeAttributeFilter, Pattern,
    PositiveAttributeFilter, RelativeDateFilter,
};
pub use granularity::Granularity;
pub use initiator::{ExecutionInitiator, Visualization};
pub use label_elements::LabelElementsRequest;
pub use report::ReportRequest;
pub use rows::last_part;

use super::FunctionError;

/// `parameters.executionContext`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionContext {
    /// What the rows are for.
    pub execution_type: ExecutionType,
    /// The organisation in GoodData.
    pub organization_id: String,
    /// The workspace in that organisation.
    pub workspace_id: String,
    /// The user whose report it is.
    pub user_id: String,
    /// The moment that relative dates count from, as sent: RFC 3339, possibly without an offset, possibly empty.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// The time zone that dates are in, as sent: an IANA name, possibly empty.
    #[serde(default)]
    pub timezone: Option<String>,
    /// The first day of the week, as sent: `sunday` or `monday`, in any case.
    #[serde(default)]
    pub week_start: Option<String>,
    /// The attributes that the report shows.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub attributes: Vec<Attribute>,
    /// The filters that apply to the function's rows.
    #[serde(default, deserialize_with = "absent_or_null")]
    pub filters: Vec<Filter>,
    /// The whole definition of the report, as sent. [`ExecutionContext::report`] reads it.
    #[serde(default)]
    pub report_execution_request: Option<Value>,
    /// The whole request for values of a label, as sent. [`ExecutionContext::label_elements`] reads it.
    #[serde(default)]
    pub label_elements_execution_request: Option<Value>,
    /// Who caused the execution: a dashboard, an export, an alert, …
    #[serde(default)]
    pub execution_initiator: Option<ExecutionInitiator>,
}

/// What the rows are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionType {
    /// A report.
    Report,
    /// The values of a label, to choose a filter from.
    LabelElements,
}

impl ExecutionContext {
    pub(super) fn from_json(context: &Value) -> Result<Self, FunctionError> {
        read(context, "executionContext")
    }

    /// The definition of the report: its attributes, metrics and filters. `None` when the context has none, as for
    /// [`ExecutionType::LabelElements`].
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the place that cannot be read: a kind of metric or filter that this version does not know, a
    /// missing key, a wrong type.
    pub fn report(&self) -> Result<Option<ReportRequest>, FunctionError> {
        let request = self.report_execution_request.as_ref();
        request
            .map(|request| read(request, "reportExecutionRequest"))
            .transpose()
    }

    /// Which values of which label are wanted. `None` when the context does not say, as for [`ExecutionType::Report`].
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the place that cannot be read.
    pub fn label_elements(&self) -> Result<Option<LabelElementsRequest>, FunctionError> {
        let request = self.label_elements_execution_request.as_ref();
        request
            .map(|request| read(request, "labelElementsExecutionRequest"))
            .transpose()
    }

    /// The days and times that the date filters of a date data set let through, in the context's time zone: from the
    /// start (included) to the end (excluded). `None` when no filter limits that data set. Several filters must all hold.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` when a date, the timestamp or the time zone cannot be read, or when a relative filter has a
    /// granularity that is no stretch of time, or one that depends on a fiscal calendar.
    pub fn date_range(&self, dataset: &str) -> Result<Option<DateRange>, FunctionError> {
        let mut range: Option<DateRange> = None;
        for filter in &self.filters {
            let next = match filter {
                Filter::AbsoluteDate(filter) if filter.dataset_identifier == dataset => filter.range()?,
                Filter::RelativeDate(filter) if filter.dataset_identifier == dataset => {
                    filter.range(&self.calendar()?)?
                }
                Filter::AbsoluteDate(_)
                | Filter::RelativeDate(_)
                | Filter::PositiveAttribute(_)
                | Filter::NegativeAttribute(_)
                | Filter::MatchAttribute(_) => continue,
            };
            range = Some(range.map_or(next, |range| range.intersect(next)));
        }
        Ok(range)
    }
}

fn read<'de, T: Deserialize<'de>>(sent: &'de Value, place: &str) -> Result<T, FunctionError> {
    serde_path_to_error::deserialize(sent)
        .map_err(|error| FunctionError::bad_argument(format!("Incorrect {place}: {error}.")))
}

/// What may be absent may also be null.
fn absent_or_null<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
