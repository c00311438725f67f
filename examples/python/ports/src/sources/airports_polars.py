"""Airports by state, computed by Polars from a CSV file."""

from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ServerContext

from sources import wanted

_FIGURES = {
    "airports": pl.len().cast(pl.Int64),
    "northernmost": pl.col("latitude").max(),
    "first_name": pl.col("name").min(),
}


class AirportsByState(FlexConnectFunction):
    """Polars reads only the columns that the wanted figures need, and only the states that the report is about."""

    Name = "AirportsByState"
    Schema = pa.schema(
        [
            ("state", pa.string()),
            ("airports", pa.int64()),
            ("northernmost", pa.float64()),
            ("first_name", pa.string()),
        ]
    )

    _airports: ClassVar[pl.LazyFrame]

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """A plan costs nothing: the file is read by each call, as it is then."""
        AirportsByState._airports = pl.scan_csv(Path(ctx.settings["weather.data"]) / "airports.csv", null_values="NA")

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """One plan for filter, groups and projection."""
        plan = self._airports
        states = wanted.values(parameters, "state")
        if states is not None:
            plan = plan.filter(pl.col("state").is_in(states, nulls_equal=True))
        schema = wanted.columns(self.Schema, columns)
        figures = {name: figure for name, figure in _FIGURES.items() if name in schema.names}
        found = plan.group_by("state").agg(**figures).sort("state").select(schema.names)
        # Polars has other types of text than the schema promises.
        return found.collect().to_arrow().cast(schema)
