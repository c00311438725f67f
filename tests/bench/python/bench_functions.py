"""The functions of `src/subject`, for the vendor's Python server. Both return the same tables."""

import os
import time
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction

_TINY = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("amount", pa.float64(), nullable=False),
        pa.field("region", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us"), nullable=False),
    ]
)
_BLOB = pa.schema([pa.field("value", pa.int64(), nullable=False)])
_TINY_ROWS = 10
_SMALL_BATCHES = 100
_SMALL_BATCH_ROWS = 100
_BLOB_ROWS_PER_MIB = 131_072
_WIDE = Path(os.environ["FLEXCONNECT_BENCH_WIDE"])


def _rows(count: int) -> pa.RecordBatch:
    rows = range(count)
    columns = [
        pa.array(rows, pa.int64()),
        pa.array([row / 7 for row in rows], pa.float64()),
        pa.array([f"customer-{row:09}" for row in rows], pa.string()),
        pa.array([1_700_000_000_000_000 + row for row in rows], pa.timestamp("us")),
    ]
    return pa.record_batch(columns, schema=_TINY)


_TEN = pa.Table.from_batches([_rows(_TINY_ROWS)])


@cache
def _wide() -> pa.Table:
    with pa.OSFile(str(_WIDE)) as file:
        return pa.ipc.open_stream(file).read_all()


def _wide_schema() -> pa.Schema:
    with pa.OSFile(str(_WIDE)) as file:
        return pa.ipc.open_stream(file).schema


class Tiny(FlexConnectFunction):
    """Ten rows of four columns, the same ones for every call."""

    Name = "Tiny"
    Schema = _TINY

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _TEN


class Wide(FlexConnectFunction):
    """258 MiB, read by the first call and kept, or as many batches of them as are asked for, again and again."""

    Name = "Wide"
    Schema = _wide_schema()

    def call(self, parameters, columns, headers):  # noqa: ARG002
        kept = _wide().to_batches()
        batches = islice(cycle(kept), parameters.get("batches", len(kept)))
        return pa.Table.from_batches(batches, schema=self.Schema)


class Stream(FlexConnectFunction):
    """The batches of `Wide` one after the other."""

    Name = "Stream"
    Schema = _wide_schema()

    def call(self, parameters, columns, headers):  # noqa: ARG002
        table = _wide()
        return pa.RecordBatchReader.from_batches(table.schema, table.to_batches())


class SmallBatches(FlexConnectFunction):
    """A hundred batches of a hundred rows, each handed over when it is asked for."""

    Name = "SmallBatches"
    Schema = _TINY

    def call(self, parameters, columns, headers):  # noqa: ARG002
        batch = _rows(_SMALL_BATCH_ROWS)
        return pa.RecordBatchReader.from_batches(_TINY, (batch for _ in range(_SMALL_BATCHES)))


class Blob(FlexConnectFunction):
    """`mib` MiB of numbers that no other `seed` has."""

    Name = "Blob"
    Schema = _BLOB

    def call(self, parameters, columns, headers):  # noqa: ARG002
        first = parameters.get("seed", 0) * 1_000_000_000
        rows = parameters.get("mib", 1) * _BLOB_ROWS_PER_MIB
        return pa.table([pa.array(range(first, first + rows), pa.int64())], schema=_BLOB)


class Cpu(FlexConnectFunction):
    """Burns `ms` milliseconds of its thread's CPU time, so that waiting for a core is not work."""

    Name = "Cpu"
    Schema = _TINY

    def call(self, parameters, columns, headers):  # noqa: ARG002
        end = time.thread_time() + parameters.get("ms", 50) / 1000
        total = 0
        while time.thread_time() < end:
            for n in range(1_000):
                total = (total * 31 + n) & 0xFFFF_FFFF
        return _TEN


class Sleep(FlexConnectFunction):
    """Sleeps `ms` milliseconds."""

    Name = "Sleep"
    Schema = _TINY

    def call(self, parameters, columns, headers):  # noqa: ARG002
        time.sleep(parameters.get("ms", 100) / 1000)
        return _TEN
