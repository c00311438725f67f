"""The function that streams, by itself."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pyarrow as pa
import pytest

from contexts import one_of, report
from functions.airport_distances import AirportDistances


def call(columns: tuple[str, ...] | None = None, **parameters: Any) -> pa.RecordBatchReader:
    return cast(pa.RecordBatchReader, AirportDistances.create().call(parameters, columns, {}))


@pytest.fixture(autouse=True, scope="module")
def _loaded(context: SimpleNamespace) -> None:
    AirportDistances.on_load(cast(Any, context))


def test_distances_are_those_of_the_globe() -> None:
    context = report(one_of("AirportDistances.origin", "SEA"), one_of("AirportDistances.destination", "JFK", "SEA"))
    rows = {row["destination"]: row for row in call(executionContext=context).read_all().to_pylist()}
    assert rows["SEA"]["kilometres"] == 0.0
    # By the law of cosines, from the coordinates in the table.
    seattle, york = (
        (math.radians(47.44898194), math.radians(-122.3093131)),
        (
            math.radians(40.63975111),
            math.radians(-73.77892556),
        ),
    )
    cosine = math.sin(seattle[0]) * math.sin(york[0]) + math.cos(seattle[0]) * math.cos(york[0]) * math.cos(
        seattle[1] - york[1]
    )
    assert rows["JFK"]["kilometres"] == pytest.approx(math.acos(cosine) * 6371.0088)
    assert (rows["JFK"]["origin_state"], rows["JFK"]["destination_state"]) == ("WA", "NY")


def test_a_batch_is_made_when_it_is_asked_for() -> None:
    stream = call()
    first = stream.read_next_batch()
    assert first.num_rows == 3376
    assert set(first["origin"].to_pylist()) == {"00M"}
    assert set(stream.read_next_batch()["origin"].to_pylist()) == {"00R"}


def test_no_destination_is_no_rows() -> None:
    context = report(one_of("AirportDistances.destination", "nowhere"), one_of("AirportDistances.origin", "SEA"))
    assert call(executionContext=context).read_all().num_rows == 0


def test_only_the_columns_that_will_be_read_are_computed() -> None:
    assert call(("destination",)).schema.names == ["destination"]
