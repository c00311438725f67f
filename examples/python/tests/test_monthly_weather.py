"""The function by itself: an object, called in this process."""

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from contexts import between, one_of, report
from functions.monthly_weather import MonthlyWeather


def call(columns: tuple[str, ...] | None = None, **parameters: Any) -> pa.Table:
    return cast(pa.Table, MonthlyWeather.create().call(parameters, columns, {}))


@pytest.fixture(autouse=True, scope="module")
def _loaded(context: SimpleNamespace) -> None:
    MonthlyWeather.on_load(cast(Any, context))


def test_every_day_is_counted_once() -> None:
    found = call()
    assert found.schema.equals(MonthlyWeather.Schema)
    assert sum(found["days"].to_pylist()) == 1461


def test_a_month_is_made_of_its_days() -> None:
    context = report(between("2012-01-01", "2012-01-08"), one_of("MonthlyWeather.weather", "rain"))
    # As one counts it in the file.
    expected = {
        "month": date(2012, 1, 1),
        "weather": "rain",
        "days": 6,
        "precipitation": pytest.approx(35.8),
        "warmest": 12.2,
        "coldest": 2.2,
    }
    assert call(executionContext=context).to_pylist() == [expected]


def test_only_the_columns_that_will_be_read_are_returned() -> None:
    assert call(("days", "month")).column_names == ["month", "days"]


def test_a_report_about_other_years_says_what_there_is() -> None:
    found = call(executionContext=report(between("2020-01-01", "2020-12-31")))
    assert found.num_rows == 0
    assert b"from 2012 to 2015" in found.schema.metadata[b"x-gdc-data-source-messages"]


def test_a_missing_table_says_how_to_get_it(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match="make data"):
        MonthlyWeather.on_load(cast(Any, SimpleNamespace(settings={"weather.data": tmp_path})))
