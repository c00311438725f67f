"""Functions whose result is made while it is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ErrorInfo

_SCHEMA = pa.schema([("x", pa.int64())])
_WORDS = pa.schema([("x", pa.dictionary(pa.int32(), pa.string()))])


def _numbers(count: int, rows: int = 1) -> Iterator[pa.RecordBatch]:
    try:
        for number in range(count):
            print(f"makes {number}")
            yield pa.record_batch({"x": pa.array([number] * rows, pa.int64())})
    finally:
        print("generator ended")


def _other_schema() -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"x": [1]})
    yield pa.record_batch({"x": ["text"]})


def _fails(error: BaseException) -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"x": [1]})
    raise error


def _words() -> Iterator[pa.RecordBatch]:
    for words in (["a", "b"], ["a", "b"], ["c"]):
        yield pa.record_batch({"x": pa.array(words).dictionary_encode()}, schema=_WORDS)


def _waits(gate: str) -> Iterator[pa.RecordBatch]:
    yield pa.record_batch({"x": [1]})
    print("waits in the stream")
    Path(gate).read_text()
    yield pa.record_batch({"x": [2]})


class Stream(FlexConnectFunction):
    """The stream that is asked for."""

    Name = "Stream"
    Schema = _SCHEMA

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.RecordBatchReader:  # noqa: ARG002
        """A reader."""
        schema = _SCHEMA.with_metadata({"a": "b"})
        match parameters["how"]:
            case "numbers":
                batches = _numbers(parameters["count"], parameters.get("rows", 1))
            case "other schema":
                batches = _other_schema()
            case "raises":
                batches = _fails(RuntimeError("half way"))
            case "exits":
                batches = _fails(SystemExit(1))
            case "raises info":
                batches = _fails(ErrorInfo(msg="told", code=1500, body=b"body").to_unavailable_error())
            case "words":
                schema, batches = _WORDS, _words()
            case "waits":
                batches = _waits(parameters["gate"])
        return pa.RecordBatchReader.from_batches(schema, batches)
