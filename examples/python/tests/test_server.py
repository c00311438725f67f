"""The functions as GoodData calls them: over the network, on our server and on the vendor's."""

import pytest
from pyarrow import flight

from contexts import between, one_of, report
from functions.airport_distances import AirportDistances
from functions.monthly_weather import MonthlyWeather
from servers import Server


def test_functions_are_listed_with_their_schemas(server: Server) -> None:
    assert server.functions() == {one.Name: one.Schema for one in (MonthlyWeather, AirportDistances)}


def test_a_report_is_answered(server: Server) -> None:
    context = report(between("2012-01-01", "2012-12-31"), one_of("MonthlyWeather.weather", "snow"))
    found = server.call("MonthlyWeather", ["month", "days"], executionContext=context)
    assert [(row["month"].month, row["days"]) for row in found.sort_by("month").to_pylist()] == [
        (1, 7), (2, 3), (3, 5), (4, 1), (12, 5)
    ]  # fmt: skip


def test_messages_to_the_report_arrive(server: Server) -> None:
    found = server.call("MonthlyWeather", executionContext=report(between("2020-01-01", "2020-12-31")))
    assert b"x-gdc-data-source-messages" in (found.schema.metadata or {})


def test_a_stream_is_read_as_far_as_one_likes(server: Server) -> None:
    stream = server.stream("AirportDistances", ["destination", "kilometres"])
    assert sum(stream.read_chunk().data.num_rows for _ in range(3)) == 3 * 3376
    stream.cancel()


def test_a_wrong_context_is_told(server: Server) -> None:
    with pytest.raises(flight.FlightServerError, match="sideways"):
        server.call("MonthlyWeather", executionContext=report({"filterType": "sideways"}))
