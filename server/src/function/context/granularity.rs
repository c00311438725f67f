//! Periods of time.

use serde::Deserialize;

/// The period that a date is looked at by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Granularity {
    Timestamp,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    SecondOfMinute,
    SecondOfDay,
    MinuteOfHour,
    MinuteOfDay,
    HourOfDay,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    WeekOfYear,
    MonthOfYear,
    QuarterOfYear,
    FiscalMonth,
    FiscalQuarter,
    FiscalYear,
    /// No limit at all.
    AllTimeGranularity,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// A granularity that cuts time into stretches without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    AllTime,
}

impl Granularity {
    /// The stretch of time, unless the granularity is a part of a larger period, or fiscal.
    pub(super) const fn period(self) -> Option<Period> {
        match self {
            Self::Second => Some(Period::Second),
            Self::Minute => Some(Period::Minute),
            Self::Hour => Some(Period::Hour),
            Self::Day => Some(Period::Day),
            Self::Week => Some(Period::Week),
            Self::Month => Some(Period::Month),
            Self::Quarter => Some(Period::Quarter),
            Self::Year => Some(Period::Year),
            Self::AllTimeGranularity => Some(Period::AllTime),
            Self::Timestamp
            | Self::SecondOfMinute
            | Self::SecondOfDay
            | Self::MinuteOfHour
            | Self::MinuteOfDay
            | Self::HourOfDay
            | Self::DayOfWeek
            | Self::DayOfMonth
            | Self::DayOfYear
            | Self::WeekOfYear
            | Self::MonthOfYear
            | Self::QuarterOfYear
            | Self::FiscalMonth
            | Self::FiscalQuarter
            | Self::FiscalYear
            | Self::Other => None,
        }
    }
}
