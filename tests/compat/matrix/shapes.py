"""The shapes of results: each a call that succeeds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from harness.caller import command
from harness.server import Server


@dataclass(frozen=True)
class Shape:
    """A call, and what its result is like."""

    title: str
    function: str
    parameters: dict[str, Any] = field(default_factory=dict)
    rows: Callable[[], list[pa.RecordBatch]] | None = None
    """What the function shall return, where it is one that returns what a file holds."""
    once: bool = False
    """Whether it can be read only once."""

    def command(self, server: Server) -> bytes:
        """The command of the call, once all that it needs is on the stage."""
        if self.rows is None:
            return command(self.function, **self.parameters)
        name = self.title.replace(" ", "-")
        batches = self.rows()
        with pa.ipc.new_stream(server.stage / name, batches[0].schema) as file:
            for batch in batches:
                file.write_batch(batch)
        return command(self.function, file=name, **self.parameters)


def _no_columns() -> list[pa.RecordBatch]:
    """Rows without columns: three, and none."""
    rows = pa.array([{}, {}, {}], pa.struct([]))
    return [pa.RecordBatch.from_struct_array(rows), pa.RecordBatch.from_struct_array(rows[:0])]


def _nothing_known() -> list[pa.RecordBatch]:
    return [pa.record_batch([pa.nulls(3), pa.array([1, None, 3])], ["nothing", "some"])]


def _described() -> list[pa.RecordBatch]:
    """Metadata at every depth, with keys and values that are no ASCII."""
    inner = pa.field("inner", pa.int64(), nullable=False, metadata={"depth": "2"})
    outer = pa.field("outer", pa.list_(pa.field("item", pa.struct([inner]), metadata={"depth": "1"})))
    schema = pa.schema([outer.with_metadata({"depth": "0", "ünït": "€"})], metadata={"a": "1", "b": "\n"})
    return [pa.record_batch([pa.array([[{"inner": 1}], None, []], outer.type)], schema=schema)]


_STORED = {"rows without columns": _no_columns, "a column of nulls": _nothing_known, "metadata at depth": _described}

SHAPES = [
    *(
        Shape(title, function)
        for title, function in (
            ("a table", "Table"),
            ("a table without rows", "EmptyTable"),
            ("a table of chunks", "Chunks"),
            ("a table with empty chunks", "EmptyChunks"),
            ("a window into longer arrays", "Sliced"),
            ("eight megabytes", "Large"),
            ("a dictionary", "Dictionary"),
            ("a dictionary that changes", "ChangingDictionary"),
            ("messages for the data source", "Messages"),
            ("other columns than declared", "OtherSchema"),
            ("every layout", "Nested"),
        )
    ),
    *(Shape(title, "Stored", rows=rows) for title, rows in _STORED.items()),
    *(Shape(f"a stream of {title}", "Stored", {"stream": True}, rows, once=True) for title, rows in _STORED.items()),
    Shape("a stream", "Stream", once=True),
    Shape("a stream with a dictionary that changes", "DictionaryStream", once=True),
    *(
        Shape(f"a stream of {title}", "Stream", {"batches": batches}, once=True)
        for title, batches in (
            ("nothing", []),
            ("no rows", [0]),
            ("a hundred rows", [1] * 100),
            ("one large batch", [100_000]),
        )
    ),
]
