"""The weather of all years, selected by DuckDB from Parquet files."""

from collections.abc import Iterator
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ServerContext

from sources import wanted

_ROWS_PER_BATCH = 500


class Weather(FlexConnectFunction):
    """Columns and values go into the query: DuckDB reads only the parts of the files that hold them."""

    Name = "Weather"
    Schema = pa.schema(
        [("date", pa.date32()), ("temp_max", pa.float64()), ("temp_min", pa.float64()), ("weather", pa.string())]
    )

    _database: ClassVar[duckdb.DuckDBPyConnection]
    _files: ClassVar[str]

    def __init__(self) -> None:
        """Each call has a cursor of its own, since a connection runs one query at a time."""
        self._cursor = self._database.cursor()

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """DuckDB takes all processors and most of the memory unless it is told that it is not alone."""
        settings = {"threads": 1, "memory_limit": ctx.settings.get("history.memory", "256MB")}
        Weather._database = duckdb.connect(config=settings)
        Weather._files = ctx.settings["history.files"]

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """Rows are read from the files as fast as the caller reads them."""
        schema = wanted.columns(self.Schema, columns)
        names = ", ".join(f'"{name}"' for name in schema.names)  # of the schema, so nobody else's text
        query = f"SELECT {names} FROM read_parquet(?)"  # noqa: S608
        values: list[Any] = [self._files]
        kinds = wanted.values(parameters, "weather")
        if kinds is not None:
            query += " WHERE list_contains(?, weather)"
            values.append([kind for kind in kinds if kind is not None])
        self._cursor.execute(query + " ORDER BY date", values)
        return pa.RecordBatchReader.from_batches(schema, self._batches(schema))

    def cancel(self) -> bool:
        """Ends the query that runs."""
        self._cursor.interrupt()
        return True

    def _batches(self, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._cursor:
            batches: pa.RecordBatchReader = self._cursor.to_arrow_reader(_ROWS_PER_BATCH)
            for batch in batches:
                yield batch.cast(schema)
