"""The days that a date filter of a report means."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import gooddata_flexconnect as gf

_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
_DAYS = {"DAY": 1, "WEEK": 7}


def days(
    one: gf.ExecutionContextAbsoluteDateFilter | gf.ExecutionContextRelativeDateFilter, context: gf.ExecutionContext
) -> tuple[date, date] | None:
    """The first and the last day, or nothing when the filter is about hours or parts of the calendar."""
    if isinstance(one, gf.ExecutionContextAbsoluteDateFilter):
        return _day(one.from_date), _day(one.to_date)
    today = _today(context)
    if one.granularity in _DAYS:
        start = _week(today, context) if one.granularity == "WEEK" else today
        length = _DAYS[one.granularity]
        first = start + timedelta(days=one.from_shift * length)
        return first, start + timedelta(days=(one.to_shift + 1) * length - 1)
    if one.granularity in _MONTHS:
        length = _MONTHS[one.granularity]
        return _month(today, one.from_shift, length), _month(today, one.to_shift + 1, length) - timedelta(days=1)
    return None


def _day(text: str) -> date:
    """`2025-1-31`, and perhaps an hour."""
    year, month, day = text.split(" ")[0].split("-")
    return date(int(year), int(month), int(day))


def _today(context: gf.ExecutionContext) -> date:
    """Reports are computed for a moment in a time zone, which need not be now and here."""
    zone = ZoneInfo(context.timezone or "UTC")
    if not context.timestamp:
        return datetime.now(zone).date()
    moment = datetime.fromisoformat(context.timestamp)
    return (moment.astimezone(zone) if moment.tzinfo else moment).date()


def _week(today: date, context: gf.ExecutionContext) -> date:
    """The day on which the week begins."""
    since = today.isoweekday() % 7 if (context.week_start or "sunday").lower() == "sunday" else today.weekday()
    return today - timedelta(days=since)


def _month(today: date, shift: int, length: int) -> date:
    """The first day of the period of so many months that is `shift` periods away."""
    month = today.year * 12 + today.month - 1
    month += shift * length - month % length
    return date(month // 12, month % 12 + 1, 1)
