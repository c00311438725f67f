//! The moment, time zone and week that dates of a context are counted in.

use jiff::civil::{DateTime, Weekday};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::ExecutionContext;
use crate::function::FunctionError;

static PARSER: DateTimeParser = DateTimeParser::new();

impl ExecutionContext {
    /// The context's timestamp as people in its time zone read it from a clock. Without a timestamp: this moment. Without
    /// a time zone: as the timestamp is written, else UTC.
    pub(super) fn now(&self) -> Result<DateTime, FunctionError> {
        let zone = self.zone()?;
        let Some(text) = given(self.timestamp.as_deref()) else {
            return Ok(Zoned::new(Timestamp::now(), zone.unwrap_or(TimeZone::UTC)).datetime());
        };
        match (PARSER.parse_timestamp(text), zone) {
            (Ok(moment), Some(zone)) => Ok(Zoned::new(moment, zone).datetime()),
            // As written; and a time without an offset is in the context's time zone already.
            (Ok(_), None) | (Err(_), _) => PARSER
                .parse_datetime(text)
                .map_err(|_| FunctionError::bad_argument(format!("Incorrect timestamp '{text}' in executionContext."))),
        }
    }

    pub(super) fn first_weekday(&self) -> Result<Weekday, FunctionError> {
        match given(self.week_start.as_deref())
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            None | Some("monday") => Ok(Weekday::Monday),
            Some("sunday") => Ok(Weekday::Sunday),
            Some(other) => Err(FunctionError::bad_argument(format!(
                "Incorrect weekStart '{other}' in executionContext."
            ))),
        }
    }

    fn zone(&self) -> Result<Option<TimeZone>, FunctionError> {
        let Some(name) = given(self.timezone.as_deref()) else {
            return Ok(None);
        };
        let zone = match name {
            "Z" | "UTC" | "Etc/UTC" => Ok(TimeZone::UTC),
            name => TimeZone::get(name).or_else(|unknown| offset(name).map(TimeZone::fixed).ok_or(unknown)),
        };
        zone.map(Some)
            .map_err(|_| FunctionError::bad_argument(format!("Unknown timezone '{name}' in executionContext.")))
    }
}

/// An offset such as `+01:00`, where the name of a time zone is expected.
fn offset(text: &str) -> Option<Offset> {
    PARSER.parse_time_zone(text).ok()?.to_fixed_offset().ok()
}

/// A text that says something.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
