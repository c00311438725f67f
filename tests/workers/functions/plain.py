"""Functions that do what functions should, and one that tells what it was given."""

import json
from typing import Any, ClassVar

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction, with_data_source_messages
from gooddata_flexconnect.function.data_source_messages import DataSourceMessage


class Tiny(FlexConnectFunction):
    """Ten rows."""

    Name = "Tiny"
    Schema = pa.schema([("id", pa.int64()), ("name", pa.string()), ("value", pa.float64())])
    Metadata: ClassVar = {"any": ["json", 1]}

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """The same table whatever is asked for."""
        return pa.table(
            {"id": list(range(10)), "name": [f"row {n}" for n in range(10)], "value": [n / 2 for n in range(10)]},
            schema=self.Schema,
        )


class Wide(FlexConnectFunction):
    """As many rows as asked for."""

    Name = "Wide"
    Schema = pa.schema([("id", pa.int64())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """Numbers from 0 on."""
        return pa.table({"id": pa.array(range(parameters["rows"]), pa.int64())}, schema=self.Schema)


class Given(FlexConnectFunction):
    """What it was given."""

    Name = "Given"
    Schema = pa.schema([("given", pa.string())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:
        """One row of Python's notation."""
        return pa.table({"given": [repr((parameters, columns, headers))]})


class Odd(FlexConnectFunction):
    """Tables that are easily lost on the way: no rows, empty chunks, metadata, dictionaries, slices, views."""

    Name = "Odd"
    Schema = pa.schema([("x", pa.int64())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """The table that is asked for."""
        return TABLES[parameters["table"]]


_MESSAGE = DataSourceMessage(correlation_id="c", source="s", type="info", data=json.loads('{"x": 1}'))
_NUMBERS = pa.schema([("x", pa.int64())])
_WORDS = pa.array(["one", "two", None, "one"] * 3).dictionary_encode()
TABLES = {
    "no rows": pa.table({"x": pa.array([], pa.int64())}),
    "no columns": pa.table({}),
    "empty chunks": pa.table({"x": pa.chunked_array([[], [1, 2], [], [3]], pa.int64())}),
    "messages": pa.table({"x": [1]}, schema=with_data_source_messages([_MESSAGE], _NUMBERS)),
    "field metadata": pa.table({"x": [1]}, schema=pa.schema([pa.field("x", pa.int64(), metadata={"a": "b"})])),
    "dictionary": pa.table({"x": _WORDS, "y": list(range(12))}),
    "two dictionaries": pa.table({"x": pa.chunked_array([_WORDS, pa.array(["three"]).dictionary_encode()])}),
    "nested dictionary": pa.table({"x": pa.array([[{"a": "b"}], None], pa.list_(pa.struct({"a": pa.string()})))}),
    "slice": pa.table({"x": list(range(100)), "y": [str(n) for n in range(100)]}).slice(13, 50),
    "long texts": pa.table({"x": ["y" * 100_000]}),
    "many chunks": pa.table({"x": pa.chunked_array([[n] for n in range(2_000)])}),
    "view": pa.table({"x": pa.array(["short", "long" * 10], pa.string_view())}),
}
