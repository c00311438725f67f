//! The moment, time zone and week that dates of a context are counted in.

use jiff::civil::{DateTime, Weekday};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::ExecutionContext;
use crate::function::FunctionError;

static PARSER: DateTimeParser = DateTimeParser::new();

/// What "today" and "this week" mean in a context. Made by [`ExecutionContext::calendar`].
#[derive(Clone, Debug, PartialEq)]
pub struct Calendar {
    now: DateTime,
    time_zone: TimeZone,
    first_weekday: Weekday,
}

impl Calendar {
    /// The context's timestamp, as people in its time zone read it from a clock.
    #[must_use]
    pub fn now(&self) -> DateTime {
        self.now
    }

    /// The time zone that dates are in.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.time_zone
    }

    /// The day that weeks start with.
    #[must_use]
    pub fn first_weekday(&self) -> Weekday {
        self.first_weekday
    }
}

impl ExecutionContext {
    /// What `timestamp`, `timezone` and `weekStart` say. Without a timestamp it is now; without a time zone that of the
    /// timestamp, else UTC; weeks start on Monday unless it is said otherwise.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the one of the three that cannot be read.
    pub fn calendar(&self) -> Result<Calendar, FunctionError> {
        let (now, time_zone) = self.now()?;
        Ok(Calendar {
            now,
            time_zone,
            first_weekday: self.first_weekday()?,
        })
    }

    fn now(&self) -> Result<(DateTime, TimeZone), FunctionError> {
        let zone = self.zone()?;
        let Some(text) = given(self.timestamp.as_deref()) else {
            let now = Zoned::new(Timestamp::now(), zone.unwrap_or(TimeZone::UTC));
            return Ok((now.datetime(), now.time_zone().clone()));
        };
        if let (Ok(moment), Some(zone)) = (PARSER.parse_timestamp(text), &zone) {
            return Ok((Zoned::new(moment, zone.clone()).datetime(), zone.clone()));
        }
        // As written; and a time without an offset is in the context's time zone already.
        let now = PARSER
            .parse_datetime(text)
            .map_err(|_| FunctionError::bad_argument(format!("Incorrect timestamp '{text}' in executionContext.")))?;
        let zone = zone.or_else(|| written_offset(text, now).map(TimeZone::fixed));
        Ok((now, zone.unwrap_or(TimeZone::UTC)))
    }

    fn first_weekday(&self) -> Result<Weekday, FunctionError> {
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

/// The offset from UTC that a timestamp is written with.
fn written_offset(timestamp: &str, read: DateTime) -> Option<Offset> {
    let moment = PARSER.parse_timestamp(timestamp).ok()?;
    let apart = read.duration_since(Offset::UTC.to_datetime(moment));
    Offset::from_seconds(apart.as_secs().try_into().ok()?).ok()
}

/// A text that says something.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}
