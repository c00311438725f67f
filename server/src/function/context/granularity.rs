//! Periods of time.

use super::words::words;

words! {
    /// The period that a date is looked at by.
    #[allow(missing_docs, reason = "the names say it")]
    pub enum Granularity {
        Timestamp = "TIMESTAMP",
        Second = "SECOND",
        Minute = "MINUTE",
        Hour = "HOUR",
        Day = "DAY",
        Week = "WEEK",
        Month = "MONTH",
        Quarter = "QUARTER",
        Year = "YEAR",
        SecondOfMinute = "SECOND_OF_MINUTE",
        SecondOfDay = "SECOND_OF_DAY",
        MinuteOfHour = "MINUTE_OF_HOUR",
        MinuteOfDay = "MINUTE_OF_DAY",
        HourOfDay = "HOUR_OF_DAY",
        DayOfWeek = "DAY_OF_WEEK",
        DayOfMonth = "DAY_OF_MONTH",
        DayOfYear = "DAY_OF_YEAR",
        WeekOfYear = "WEEK_OF_YEAR",
        MonthOfYear = "MONTH_OF_YEAR",
        QuarterOfYear = "QUARTER_OF_YEAR",
        FiscalMonth = "FISCAL_MONTH",
        FiscalQuarter = "FISCAL_QUARTER",
        FiscalYear = "FISCAL_YEAR",
        /// No limit at all.
        AllTime = "ALL_TIME_GRANULARITY",
    }
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
    pub(super) const fn period(&self) -> Option<Period> {
        match self {
            Self::Second => Some(Period::Second),
            Self::Minute => Some(Period::Minute),
            Self::Hour => Some(Period::Hour),
            Self::Day => Some(Period::Day),
            Self::Week => Some(Period::Week),
            Self::Month => Some(Period::Month),
            Self::Quarter => Some(Period::Quarter),
            Self::Year => Some(Period::Year),
            Self::AllTime => Some(Period::AllTime),
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
            | Self::Other(_) => None,
        }
    }
}
