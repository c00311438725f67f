"""The weather of Seattle by month: a function that returns a table."""

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from gooddata_flexconnect import DataSourceMessage, FlexConnectFunction, add_data_source_messages_metadata
from gooddata_flight_server import ArrowData, ServerContext

from functions import report, tables

_LOGGER = structlog.get_logger(__name__)

_DAYS = pa.schema(
    [
        ("date", pa.date32()),
        ("precipitation", pa.float64()),
        ("temp_max", pa.float64()),
        ("temp_min", pa.float64()),
        ("wind", pa.float64()),
        ("weather", pa.string()),
    ]
)


class MonthlyWeather(FlexConnectFunction):
    """A row for each month and kind of weather, made of the days that the report is about."""

    Name = "MonthlyWeather"
    Schema = pa.schema(
        [
            ("month", pa.date32()),
            ("weather", pa.string()),
            ("days", pa.int64()),
            ("precipitation", pa.float64()),
            ("warmest", pa.float64()),
            ("coldest", pa.float64()),
        ]
    )
    Metadata = {"description": "The weather of Seattle from 2012 to 2015, by month"}

    _days: ClassVar[pa.Table]

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """Reads the days once, for all calls."""
        MonthlyWeather._days = tables.read(ctx, "seattle-weather.csv", _DAYS)

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """The days of the report, put together by month."""
        days = report.rows(self._days, parameters)
        _LOGGER.info("days-chosen", chosen=days.num_rows, of=self._days.num_rows)
        month = pc.floor_temporal(days["date"], unit="month").cast(pa.date32())
        grouped = days.append_column("month", month).group_by(["month", "weather"], use_threads=False)
        found = grouped.aggregate(
            [("date", "count"), ("precipitation", "sum"), ("temp_max", "max"), ("temp_min", "min")]
        )
        found = report.columns(found.rename_columns(self.Schema.names), columns)
        if days.num_rows > 0:
            return found
        # GoodData shows it beside the report.
        message = DataSourceMessage(
            source=self.Name, correlation_id="days", type="info", data="The weather is known from 2012 to 2015."
        )
        return found.replace_schema_metadata(add_data_source_messages_metadata([message]))
