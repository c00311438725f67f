"""The temperature that is usual on a day, from a scikit-learn model."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ServerContext
from numpy.typing import NDArray
from pyarrow import csv
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

_DAYS_OF_A_YEAR = 365.2425


def seasons(days: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where in the year a day is: two waves of the calendar, and the day itself for what changes over years."""
    turns = 2 * np.pi * days / _DAYS_OF_A_YEAR
    return np.column_stack([days, np.sin(turns), np.cos(turns), np.sin(2 * turns), np.cos(2 * turns)])


class UsualTemperature(FlexConnectFunction):
    """Parameters: `year`. A row for each of its days."""

    Name = "UsualTemperature"
    Schema = pa.schema([("date", pa.date32()), ("temp_max", pa.float64())])

    _model: ClassVar[Pipeline]

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """This model is made in milliseconds. One that takes longer is made elsewhere, and its file is loaded here."""
        file = Path(ctx.settings["weather.data"]) / "seattle-weather.csv"
        days = csv.read_csv(file, convert_options=csv.ConvertOptions(timestamp_parsers=["%Y/%m/%d"]))
        numbers = days["date"].cast(pa.timestamp("s")).cast(pa.date32()).cast(pa.int32()).to_numpy().astype(np.int64)
        model = make_pipeline(FunctionTransformer(seasons), LinearRegression())
        UsualTemperature._model = model.fit(numbers, days["temp_max"].to_numpy())

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """A ValueError tells the caller that the parameters are wrong; other exceptions, that the function failed."""
        year = parameters.get("year")
        if not isinstance(year, int) or not 1 <= year <= 9998:
            raise ValueError("'year' must be a year, such as 2026.")
        first = date(year, 1, 1)
        numbers = np.arange((first - date(1970, 1, 1)).days, (date(year + 1, 1, 1) - date(1970, 1, 1)).days)
        dates = [first + timedelta(days=int(day)) for day in numbers - numbers[0]]
        return pa.table([pa.array(dates, pa.date32()), self._model.predict(numbers)], schema=self.Schema)
