//! Date filters as stretches of time.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::{Span, ToSpan as _};

use super::granularity::Period;
use super::{Calendar, Granularity};
use crate::function::FunctionError;

/// A stretch of time by the clock on the wall: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateRange {
    /// The first moment.
    pub start: DateTime,
    /// The first moment after it.
    pub end: DateTime,
}

impl DateRange {
    /// Everything that has a date.
    pub const ALL: Self = Self {
        start: DateTime::MIN,
        end: DateTime::MAX,
    };

    /// From a date to a date, each `YYYY-M-D` or `YYYY-M-D H:M`. Both are included: a date as a whole day, a time as a
    /// whole minute.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the text that is no such date.
    pub fn between(from: &str, to: &str) -> Result<Self, FunctionError> {
        let (start, _) = parse(from)?;
        let (last, precision) = parse(to)?;
        let end = last.saturating_add(precision);
        Ok(Self {
            start,
            end: end.max(start),
        })
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(&self, moment: DateTime) -> bool {
        self.start <= moment && moment < self.end
    }

    /// Whether nothing can lie in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// What lies in both.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        let start = self.start.max(other.start);
        Self {
            start,
            end: self.end.min(other.end).max(start),
        }
    }
}

/// Reads `YYYY-M-D` or `YYYY-M-D H:M`; tells the moment, and how long what it names lasts.
fn parse(text: &str) -> Result<(DateTime, Span), FunctionError> {
    read(text).ok_or_else(|| {
        FunctionError::bad_argument(format!(
            "Incorrect date '{text}' in a date filter: expected YYYY-MM-DD or YYYY-MM-DD HH:MM."
        ))
    })
}

fn read(text: &str) -> Option<(DateTime, Span)> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let date = Date::new(
        number(parts.next()?, 4..=4)?,
        number(parts.next()?, 1..=2)?.try_into().ok()?,
        number(parts.next()?, 1..=2)?.try_into().ok()?,
    )
    .ok()?;
    match time {
        None => Some((date.to_datetime(Time::midnight()), 1.day())),
        Some(time) => {
            let (hour, minute) = time.split_once(':')?;
            let hour = number(hour, 1..=2)?.try_into().ok()?;
            let minute = number(minute, 1..=2)?.try_into().ok()?;
            Some((date.to_datetime(Time::new(hour, minute, 0, 0).ok()?), 1.minute()))
        }
    }
}

/// A number of so many digits, and nothing else.
fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i16> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl Calendar {
    /// The periods from one to another, both included; the one that holds [`Calendar::now`] is number 0. `dataset` is the
    /// date data set that the error tells.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` when the granularity is no stretch of time (`DAY_OF_WEEK`, …) or depends on a fiscal calendar.
    pub fn range(
        &self,
        dataset: &str,
        granularity: &Granularity,
        from: i64,
        to: i64,
    ) -> Result<DateRange, FunctionError> {
        let Some(period) = granularity.period() else {
            return Err(FunctionError::bad_argument(format!(
                "The relative date filter of '{dataset}' cannot be turned into a range of dates: its granularity \
                 {granularity} is a part of a period, fiscal, or unknown."
            )));
        };
        if period == Period::AllTime {
            return Ok(DateRange::ALL);
        }
        let current = start_of(period, self.now(), self.first_weekday());
        let start = shift(period, current, from);
        let end = to.checked_add(1).and_then(|after| shift(period, current, after));
        let range = start.zip(end).map(|(start, end)| DateRange {
            start,
            end: end.max(start),
        });
        range.ok_or_else(|| {
            FunctionError::bad_argument("A relative date filter reaches beyond the years -9999 to 9999.")
        })
    }
}

/// When the period that holds this moment began.
fn start_of(period: Period, moment: DateTime, first_weekday: Weekday) -> DateTime {
    let (date, time) = (moment.date(), moment.time());
    let at = |hour, minute, second| date.at(hour, minute, second, 0);
    let midnight = |date: Date| date.to_datetime(Time::midnight());
    match period {
        Period::Second => at(time.hour(), time.minute(), time.second()),
        Period::Minute => at(time.hour(), time.minute(), 0),
        Period::Hour => at(time.hour(), 0, 0),
        Period::Day => midnight(date),
        Period::Week => {
            let days = date.weekday().since(first_weekday);
            midnight(date.saturating_sub(i64::from(days).days()))
        }
        Period::Month => midnight(date.first_of_month()),
        Period::Quarter => midnight(Date::constant(date.year(), (date.month() - 1) / 3 * 3 + 1, 1)),
        Period::Year => midnight(date.first_of_year()),
        Period::AllTime => DateTime::MIN,
    }
}

/// The start of the period so many periods later; `None` beyond the calendar.
fn shift(period: Period, start: DateTime, count: i64) -> Option<DateTime> {
    let span = Span::new();
    let span = match period {
        Period::Second => span.try_seconds(count),
        Period::Minute => span.try_minutes(count),
        Period::Hour => span.try_hours(count),
        Period::Day => span.try_days(count),
        Period::Week => span.try_weeks(count),
        Period::Month => span.try_months(count),
        Period::Quarter => span.try_months(count.checked_mul(3)?),
        Period::Year => span.try_years(count),
        Period::AllTime => return Some(start),
    };
    start.checked_add(span.ok()?).ok()
}
