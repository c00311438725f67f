"""Tables and batches as Arrow IPC, with as few copies as their size asks for."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_SMALL = 8_192
_OPTIONS = pa.ipc.IpcWriteOptions()


class Pieces:
    """A file for Arrow's writer that keeps the buffers it is given instead of copying them."""

    closed = False

    def __init__(self) -> None:
        self.list: list[Any] = []
        self.size = 0
        self._left_out = 0

    def write(self, piece: Any) -> None:
        """Takes the next piece."""
        if self._left_out:
            # A writer writes in whole messages, and in pieces that do not cross them.
            self._left_out -= len(piece)
            return
        self.list.append(piece)
        self.size += len(piece)

    def leave_out(self, count: int) -> None:
        """Forgets the next bytes: the writer begins with the schema, which has been sent."""
        self._left_out = count

    def flush(self) -> None:
        """There is nothing to do."""

    def close(self) -> None:
        """There is nothing to do."""

    def take(self) -> tuple[list[Any], int]:
        """The pieces until now, and the bytes in them."""
        taken = self.list, self.size
        self.list, self.size = [], 0
        return taken


class Schemas:
    """The message of the schema that was seen last: a function's results nearly always have the same."""

    def __init__(self) -> None:
        self._last: pa.Schema | None = None
        self._message = b""
        self._dictionaries = False

    def message(self, schema: pa.Schema) -> tuple[bytes, bool]:
        """The schema's IPC message, and whether there are dictionaries in it."""
        if self._last is None or not schema.equals(self._last, check_metadata=True):
            self._message = schema.serialize().to_pybytes()
            self._dictionaries = any(_has_dictionary(field.type) for field in schema)
            self._last = schema
        return self._message, self._dictionaries


def encode(table: pa.Table, schemas: Schemas) -> tuple[Sequence[Any], int]:
    """A table as a whole IPC stream, cut where its chunks end, dictionaries as they are."""
    schema = table.schema
    message, dictionaries = schemas.message(schema)
    if dictionaries or table.num_rows * len(schema) > _SMALL:
        pieces = Pieces()
        with pa.RecordBatchStreamWriter(pa.PythonFile(pieces, mode="w"), schema, options=_OPTIONS) as writer:
            writer.write_table(table)
        return pieces.take()
    # A writer costs more than all the rest of a small result.
    parts: list[Any] = [message]
    size = len(message) + len(END)
    for batch in table.to_batches():
        part = batch.serialize()
        parts.append(part)
        size += part.size
    parts.append(END)
    return parts, size


class Batches:
    """Encodes the batches of one stream, each with the dictionaries that changed."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self.message, self._dictionaries = Schemas().message(schema)
        self._pieces = Pieces()
        self._writer: pa.RecordBatchStreamWriter | None = None

    def encode(self, batch: pa.RecordBatch) -> tuple[Sequence[Any], int]:
        """The messages of a batch; raises `ArrowInvalid` when its schema is another."""
        if not self._dictionaries and batch.num_rows * len(self._schema) <= _SMALL:
            self._check(batch)
            part = batch.serialize()
            return [part], part.size
        if self._writer is None:
            self._writer = pa.RecordBatchStreamWriter(
                pa.PythonFile(self._pieces, mode="w"), self._schema, options=_OPTIONS
            )
            self._pieces.leave_out(len(self.message))
        self._check(batch)
        self._writer.write_batch(batch)
        return self._pieces.take()

    def _check(self, batch: pa.RecordBatch) -> None:
        if not batch.schema.equals(self._schema, check_metadata=False):
            found, expected = _columns(batch.schema), _columns(self._schema)
            raise pa.ArrowInvalid(f"a batch has another schema than its stream: {found} instead of {expected}")


def _columns(schema: pa.Schema) -> str:
    shown = ", ".join(f"{field.name}: {field.type}" for field in list(schema)[:20])
    return f"({shown}{', …' if len(schema) > 20 else ''})"


def _has_dictionary(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.BaseExtensionType):
        return _has_dictionary(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return True
    return any(_has_dictionary(type_.field(index).type) for index in range(type_.num_fields))
