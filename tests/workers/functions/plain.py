"""Functions that do what functions should."""

from typing import ClassVar

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction


class Tiny(FlexConnectFunction):
    """Ten rows."""

    Name = "Tiny"
    Schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("value", pa.float64())])
    Metadata: ClassVar = {"any": ["json", 1]}

    def call(self, parameters, columns, headers):  # noqa: ARG002
        """The same table whatever is asked for."""
        return pa.table(
            {"id": list(range(10)), "name": [f"row {n}" for n in range(10)], "value": [n / 2 for n in range(10)]},
            schema=self.Schema,
        )


class Wide(FlexConnectFunction):
    """As many rows as asked for."""

    Name = "Wide"
    Schema = pa.schema([("id", pa.int64())])

    def call(self, parameters, columns, headers):  # noqa: ARG002
        """Numbers from 0 on."""
        return pa.table({"id": pa.array(range(parameters["rows"]), pa.int64())}, schema=self.Schema)
