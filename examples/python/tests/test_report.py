"""What filters mean."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from contexts import between, like, none_of, one_of, relative, report
from functions.report import columns, rows

TABLE = pa.table(
    {
        "date": pa.array([date(2012, 12, 31), date(2013, 2, 28), date(2013, 3, 11), date(2013, 3, 15), None]),
        "city": ["Seattle", "Portland", "Salem", None, "seaside"],
        "n": [0, 1, 2, 3, 4],
    }
)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([one_of("Trips.city", "Salem", None)], [2, 3]),
        ([one_of("Trips.city")], []),
        ([none_of("city", "Salem")], [0, 1, 3, 4]),
        ([none_of("city", "Salem", None)], [0, 1, 4]),
        ([like("city", "STARTS_WITH", "sea")], [0, 4]),
        ([like("city", "STARTS_WITH", "sea", caseSensitive=True)], [4]),
        ([like("city", "CONTAINS", "al", negate=True)], [0, 1, 3, 4]),
        ([like("city", "ENDS_WITH", "LAND")], [1]),
        ([between("2012-12-31", "2013-2-28 23:59")], [0, 1]),
        ([relative("DAY", -4, 0)], [2, 3]),
        ([relative("WEEK", 0, 0)], [2, 3]),
        ([relative("MONTH", -1, -1)], [1]),
        ([relative("QUARTER", -1, -1)], [0]),
        ([relative("YEAR", 0, 0)], [1, 2, 3]),
        ([relative("HOUR_OF_DAY", 1, 1), one_of("Trips.country", "US"), one_of("n", "7")], [0, 1, 2, 3, 4]),
        ([between("2013-01-01", "2013-12-31"), none_of("city", "Salem")], [1, 3]),
    ],
)
def test_rows_that_pass(filters: list[dict[str, Any]], expected: list[int]) -> None:
    assert rows(TABLE, {"executionContext": report(*filters)})["n"].to_pylist() == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ({"timestamp": "2013-03-01T03:00:00Z", "timezone": "America/Los_Angeles"}, [1]),
        ({"timestamp": "2013-03-15T00:30:00+01:00", "timezone": ""}, []),
        ({"timestamp": "2013-03-15T00:30:00", "timezone": "Asia/Tokyo"}, [3]),
    ],
)
def test_the_day_of_a_report_is_that_of_its_time_zone(moment: dict[str, str], expected: list[int]) -> None:
    context = report(relative("DAY", 0, 0), **moment)
    assert rows(TABLE, {"executionContext": context})["n"].to_pylist() == expected


@pytest.mark.parametrize("parameters", [{}, {"executionContext": None}])
def test_callers_without_a_context_get_everything(parameters: dict[str, Any]) -> None:
    assert rows(TABLE, parameters) is TABLE


def test_columns_keep_their_order() -> None:
    assert columns(TABLE, ("n", "city", "unknown")).column_names == ["city", "n"]
    assert columns(TABLE, None) is TABLE
