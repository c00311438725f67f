"""Tables in files, by Polars and by DuckDB, and a model that learnt from one."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from pyarrow import flight

from contexts import one_of, report
from servers import Server


def test_polars_counts_as_python_does(server: Server, airports: list[dict[str, str]]) -> None:
    expected: dict[str | None, list[dict[str, str]]] = {}
    for airport in airports:
        expected.setdefault(None if airport["state"] == "NA" else airport["state"], []).append(airport)
    found = server.call("AirportsByState").to_pylist()
    assert {row["state"] for row in found} == set(expected)
    for row in found:
        those = expected[row["state"]]
        assert row["airports"] == len(those)
        assert row["northernmost"] == max(float(airport["latitude"]) for airport in those)
        assert row["first_name"] == min(airport["name"] for airport in those)


def test_polars_computes_what_is_wanted(server: Server, airports: list[dict[str, str]]) -> None:
    context = report(one_of("AirportsByState.state", "WA", "AK"))
    found = server.call("AirportsByState", ["airports", "state"], executionContext=context)
    expected = [
        {"state": state, "airports": sum(airport["state"] == state for airport in airports)} for state in ("AK", "WA")
    ]
    assert found.to_pylist() == expected


def test_duckdb_reads_all_files(server: Server, days: list[dict[str, str]]) -> None:
    found = server.call("Weather", ["date", "temp_max", "weather"])
    expected = [
        {
            "date": date.fromisoformat(day["date"].replace("/", "-")),
            "temp_max": float(day["temp_max"]),
            "weather": day["weather"],
        }
        for day in days
    ]
    assert found.to_pylist() == expected


def test_duckdb_selects(server: Server, days: list[dict[str, str]]) -> None:
    context = report(one_of("Weather.weather", "snow", "it's"))
    found = server.call("Weather", ["temp_min"], executionContext=context)
    assert found.column_names == ["temp_min"]
    assert found["temp_min"].to_pylist() == [float(day["temp_min"]) for day in days if day["weather"] == "snow"]


def test_the_model_is_the_best_fit(server: Server, days: list[dict[str, str]]) -> None:
    """The same waves, fitted by numpy."""

    def waves(those: list[date]) -> np.ndarray:
        day = np.array([(one - date(1970, 1, 1)).days for one in those], float)
        turn = 2 * np.pi * day / 365.2425
        ones = np.ones_like(day)
        return np.column_stack([ones, day, np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)])

    known = [date.fromisoformat(day["date"].replace("/", "-")) for day in days]
    weights = np.linalg.lstsq(waves(known), np.array([float(day["temp_max"]) for day in days]), rcond=None)[0]
    year = [date(2016, 1, 1) + timedelta(days=day) for day in range(366)]
    found = server.call("UsualTemperature", year=2016)
    assert found["date"].to_pylist() == year
    np.testing.assert_allclose(found["temp_max"].to_numpy(), waves(year) @ weights, rtol=1e-6)


@pytest.mark.parametrize("parameters", [{}, {"year": "2016"}, {"year": 0}])
def test_a_wrong_year_is_the_callers_mistake(server: Server, parameters: dict[str, Any]) -> None:
    with pytest.raises(flight.FlightServerError, match="'year' must be a year"):
        server.call("UsualTemperature", **parameters)
