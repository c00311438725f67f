//! The filters of a context, applied to rows.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray as _, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::compute::{and, can_cast_types, cast, filter_record_batch};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{DateRange, ExecutionContext, Filter};
use crate::function::FunctionError;

const NANOS_PER_MICROSECOND: i128 = 1_000;
const NANOS_PER_MILLISECOND: i128 = 1_000_000;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;

/// What follows the last dot of an identifier. Identifiers that GoodData makes itself end with the name of the column, as in
/// `Sales.region`.
#[must_use]
pub fn last_part(identifier: &str) -> Option<&str> {
    identifier.rsplit('.').next().filter(|part| !part.is_empty())
}

impl ExecutionContext {
    /// The rows that pass every filter of the context. `column` tells which column an identifier of a label, or of a date
    /// data set, stands for; [`last_part`] often will do.
    ///
    /// Filters on labels compare text: other columns are compared as Arrow writes them. Date filters look at dates and
    /// timestamps; timestamps without a time zone are taken for those of the context's. A filter that is about none of
    /// the columns, or about a column of another type, lets everything pass: GoodData filters again.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` as from [`ExecutionContext::date_range`].
    pub fn filter_rows(
        &self,
        rows: &RecordBatch,
        column: impl Fn(&str) -> Option<&str>,
    ) -> Result<RecordBatch, FunctionError> {
        let mut wanted: Option<BooleanArray> = None;
        for filter in &self.filters {
            let Some(values) = column(filter.identifier()).and_then(|name| rows.column_by_name(name)) else {
                continue;
            };
            let Some(passing) = self.passing(filter, values)? else {
                continue;
            };
            wanted = Some(match wanted {
                Some(wanted) => and(&wanted, &passing)?,
                None => passing,
            });
        }
        match wanted {
            Some(wanted) => Ok(filter_record_batch(rows, &wanted)?),
            None => Ok(rows.clone()),
        }
    }

    /// Which values pass; `None` when the filter cannot be applied to them.
    fn passing(&self, filter: &Filter, values: &ArrayRef) -> Result<Option<BooleanArray>, FunctionError> {
        match filter {
            Filter::PositiveAttribute(filter) => texts_passing(values, |text| filter.passes(text)),
            Filter::NegativeAttribute(filter) => texts_passing(values, |text| filter.passes(text)),
            Filter::MatchAttribute(filter) => texts_passing(values, |text| filter.passes(text)),
            Filter::AbsoluteDate(filter) => self.dates_passing(values, filter.range()?),
            Filter::RelativeDate(filter) => self.dates_passing(values, filter.range(&self.calendar()?)?),
        }
    }

    fn dates_passing(&self, values: &ArrayRef, range: DateRange) -> Result<Option<BooleanArray>, FunctionError> {
        let (unit, zoned) = match values.data_type() {
            DataType::Date32 => return Ok(Some(within::<Date32Type>(values, NANOS_PER_DAY, range, None))),
            DataType::Date64 => return Ok(Some(within::<Date64Type>(values, NANOS_PER_MILLISECOND, range, None))),
            DataType::Timestamp(unit, zone) => (unit, zone.is_some()),
            _ => return Ok(None),
        };
        let calendar = zoned.then(|| self.calendar()).transpose()?;
        let zone = calendar.as_ref().map(super::Calendar::time_zone);
        Ok(Some(match unit {
            TimeUnit::Second => within::<TimestampSecondType>(values, NANOS_PER_SECOND, range, zone),
            TimeUnit::Millisecond => within::<TimestampMillisecondType>(values, NANOS_PER_MILLISECOND, range, zone),
            TimeUnit::Microsecond => within::<TimestampMicrosecondType>(values, NANOS_PER_MICROSECOND, range, zone),
            TimeUnit::Nanosecond => within::<TimestampNanosecondType>(values, 1, range, zone),
        }))
    }
}

fn texts_passing(
    values: &ArrayRef,
    passes: impl Fn(Option<&str>) -> bool,
) -> Result<Option<BooleanArray>, FunctionError> {
    // A list would become the text that Arrow shows of it, which is no value of a label.
    if values.data_type().is_nested() || !can_cast_types(values.data_type(), &DataType::Utf8) {
        return Ok(None);
    }
    let texts = cast(values, &DataType::Utf8)?;
    Ok(Some(
        texts.as_string::<i32>().iter().map(|text| Some(passes(text))).collect(),
    ))
}

/// Which moments lie in a range. Missing ones do not. With a time zone the moments are instants, otherwise they are
/// readings of a clock, as the range's ends are.
fn within<T: ArrowPrimitiveType>(
    moments: &ArrayRef,
    nanos_per_unit: i128,
    range: DateRange,
    zone: Option<&TimeZone>,
) -> BooleanArray
where
    i128: From<T::Native>,
{
    let range = nanos(range.start, zone)..nanos(range.end, zone);
    let moments: &PrimitiveArray<T> = moments.as_primitive();
    BooleanArray::from_unary(moments, |moment| range.contains(&(i128::from(moment) * nanos_per_unit)))
}

/// From 1970 on. Beyond the years that instants have, the clock's reading is near enough.
fn nanos(moment: DateTime, zone: Option<&TimeZone>) -> i128 {
    let instant = zone.and_then(|zone| zone.to_timestamp(moment).ok());
    match instant {
        Some(instant) => instant.as_nanosecond(),
        None => moment
            .duration_since(DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
            .as_nanos(),
    }
}

#[cfg(test)]
mod tests;
