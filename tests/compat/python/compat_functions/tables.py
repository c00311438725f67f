"""Functions that return tables: one shape of data each."""

import pyarrow as pa
from gooddata_flexconnect import DataSourceMessage, FlexConnectFunction, with_data_source_messages

_ID = pa.schema([pa.field("id", pa.int64())])
_ROW = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string()), ("ratio", pa.float64())])
_COLOUR = pa.schema([pa.field("colour", pa.dictionary(pa.int8(), pa.string()))])
_SLICED = pa.schema([("id", pa.int64()), ("name", pa.string()), ("even", pa.bool_()), ("list", pa.list_(pa.int64()))])
_TRACED = with_data_source_messages(
    [
        DataSourceMessage(source="src", correlation_id="cid", type="info", data={"x": 1}),
        DataSourceMessage(source="s2", correlation_id="c2", type="warn"),
    ],
    pa.schema([pa.field("price", pa.int64(), metadata={"unit": "EUR"})], metadata={"origin": "compat"}),
)
_NESTED = pa.schema(
    [
        ("point", pa.struct([("x", pa.float64()), ("tags", pa.list_(pa.string()))])),
        ("counts", pa.map_(pa.string(), pa.int32())),
        ("pair", pa.list_(pa.int16(), 2)),
        ("amount", pa.decimal128(12, 2)),
        ("at", pa.timestamp("us", tz="Europe/Prague")),
        ("day", pa.date32()),
        ("clock", pa.time64("ns")),
        ("span", pa.duration("ms")),
        ("raw", pa.binary()),
        ("code", pa.binary(4)),
        ("long", pa.large_string()),
        ("view", pa.string_view()),
        ("flag", pa.bool_()),
        ("nothing", pa.null()),
        ("regions", pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    ]
)


def _batches(schema: pa.Schema, *chunks: list) -> pa.Table:
    """A table of one column with exactly these chunks."""
    return pa.table({schema.names[0]: pa.chunked_array(chunks, type=schema.types[0])}, schema=schema)


def _colours(values: list[str], indices: list[int | None]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(values, pa.string()))


class Table(FlexConnectFunction):
    """Three rows with text, numbers and nulls; the one function with metadata."""

    Name = "Table"
    Schema = _ROW
    Metadata = {"description": "three rows", "tags": ["a", 1, None], "nested": {"ünïcode": True}}  # noqa: RUF012

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return pa.table([[1, 2, 3], ["one", None, "tři"], [0.5, None, -1.0]], schema=_ROW)


class EmptyTable(FlexConnectFunction):
    """A schema and not one row."""

    Name = "EmptyTable"
    Schema = _ROW

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _ROW.empty_table()


class Chunks(FlexConnectFunction):
    """Three chunks of different lengths."""

    Name = "Chunks"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _batches(_ID, [1, 2], [3], [4, 5, 6])


class EmptyChunks(FlexConnectFunction):
    """Chunks without rows between those with rows."""

    Name = "EmptyChunks"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _batches(_ID, [1], [], [2, 3])


class Sliced(FlexConnectFunction):
    """A window into longer arrays, so that nothing begins at offset 0."""

    Name = "Sliced"
    Schema = _SLICED

    def call(self, parameters, columns, headers):  # noqa: ARG002
        rows = range(20)
        columns = [list(rows), [f"row {i}" for i in rows], [i % 2 == 0 for i in rows], [[i] * (i % 3) for i in rows]]
        return pa.table(columns, schema=_SLICED).slice(11, 5)


class Large(FlexConnectFunction):
    """One chunk of 8 MB."""

    Name = "Large"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _batches(_ID, pa.array(range(1_000_000), pa.int64()))


class Dictionary(FlexConnectFunction):
    """A dictionary column whose chunks share one dictionary."""

    Name = "Dictionary"
    Schema = _COLOUR

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _batches(_COLOUR, _colours(["red", "green"], [0, 1, None]), _colours(["red", "green"], [1]))


class ChangingDictionary(FlexConnectFunction):
    """A dictionary column whose second chunk has a dictionary of its own."""

    Name = "ChangingDictionary"
    Schema = _COLOUR

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _batches(_COLOUR, _colours(["red", "green"], [0, 1, None]), _colours(["blue"], [0, 0]))


class Messages(FlexConnectFunction):
    """Data source messages beside other metadata of schema and field."""

    Name = "Messages"
    Schema = pa.schema([pa.field("price", pa.int64())])

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return pa.table([[7]], schema=_TRACED)


class OtherSchema(FlexConnectFunction):
    """A result that is not what was declared."""

    Name = "OtherSchema"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return pa.table([["really"]], schema=pa.schema([("text", pa.string())], metadata={"origin": "call"}))


class Nested(FlexConnectFunction):
    """Every kind of layout: nested, fixed, decimal, temporal, binary, view, null, a dictionary inside a list."""

    Name = "Nested"
    Schema = _NESTED

    def call(self, parameters, columns, headers):  # noqa: ARG002
        full = {
            "point": {"x": 1.5, "tags": ["a", None]},
            "counts": [("one", 1), ("none", None)],
            "pair": [1, 2],
            "amount": pa.scalar("1234.50").cast(pa.decimal128(12, 2)).as_py(),
            "at": 1_700_000_000_123_456,
            "day": 20_000,
            "clock": 3_600_000_000_001,
            "span": 1_500,
            "raw": b"\x00\xff",
            "code": b"abcd",
            "long": "long text",
            "view": "a text of more than twelve bytes",
            "flag": True,
            "nothing": None,
            "regions": ["EMEA", "APAC", "EMEA"],
        }
        short = {**full, "point": {"x": None, "tags": []}, "counts": [], "view": "short", "flag": False, "regions": []}
        rows = [full, dict.fromkeys(full), short]
        arrays = [pa.array([row[field.name] for row in rows], field.type) for field in _NESTED]
        return pa.table(arrays, schema=_NESTED)
