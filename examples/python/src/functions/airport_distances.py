"""How far airports are from each other: a function that streams."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ServerContext

from functions import report, tables

_AIRPORTS = pa.schema(
    [
        ("iata", pa.string()),
        ("name", pa.string()),
        ("city", pa.string()),
        ("state", pa.string()),
        ("country", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
    ]
)
_RADIANS = 0.017453292519943295
_DIAMETER_KM = 2 * 6371.0088


class AirportDistances(FlexConnectFunction):
    """Every airport from every other: 11 million rows when nothing is filtered, and never more than 3376 in memory.

    A batch is made when the reader asks for it. Whoever stops reading ends the work, so there is nothing to cancel.
    """

    Name = "AirportDistances"
    Schema = pa.schema(
        [
            ("origin", pa.string()),
            ("origin_state", pa.string()),
            ("destination", pa.string()),
            ("destination_state", pa.string()),
            ("kilometres", pa.float64()),
        ]
    )
    Metadata = {"description": "The distances between the airports of the United States, as birds fly"}

    _airports: ClassVar[pa.Table]

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """Reads the airports once, for all calls."""
        AirportDistances._airports = tables.read(ctx, "airports.csv", _AIRPORTS)

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """A batch for each origin."""
        origins = report.rows(self._named("origin"), parameters)
        destinations = report.rows(self._named("destination"), parameters)
        schema = report.columns(self.Schema.empty_table(), columns).schema
        batches = (_distances(origin, destinations, schema) for origin in _rows(origins))
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _named(self, end: str) -> pa.Table:
        """The airports, with the names that the report has for one end of the way."""
        names = {"iata": end, "state": f"{end}_state"}
        return self._airports.rename_columns([names.get(name, name) for name in self._airports.column_names])


def _rows(origins: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in origins.to_batches(max_chunksize=100):
        yield from batch.to_pylist()


def _distances(origin: dict[str, Any], to: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    """From one airport to all others. Only what will be read is computed."""

    def column(name: str) -> pa.Array:
        if name == "kilometres":
            return _kilometres(origin["latitude"], origin["longitude"], to["latitude"], to["longitude"])
        return to[name] if name in to.column_names else pa.repeat(pa.scalar(origin[name], pa.string()), to.num_rows)

    table = pa.table({name: column(name) for name in schema.names}, schema=schema)
    return pa.RecordBatch.from_struct_array(table.to_struct_array().combine_chunks())


def _kilometres(latitude: float, longitude: float, latitudes: pa.Array, longitudes: pa.Array) -> pa.Array:
    """Along the great circle, by the haversine formula."""

    def half_sine_squared(one: float, others: pa.Array) -> pa.Array:
        sine = pc.sin(pc.multiply(pc.subtract(others, one), _RADIANS / 2))
        return pc.multiply(sine, sine)

    parallel = pc.multiply(pc.cos(pc.multiply(latitudes, _RADIANS)), pc.cos(pc.multiply(pa.scalar(latitude), _RADIANS)))
    share = pc.add(
        half_sine_squared(latitude, latitudes), pc.multiply(parallel, half_sine_squared(longitude, longitudes))
    )
    return pc.multiply(pc.asin(pc.sqrt(pc.min_element_wise(share, 1.0))), _DIAMETER_KM)
