"""Functions that return record batch readers, whole and broken."""

from collections.abc import Iterator

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ErrorInfo

_ID = pa.schema([pa.field("id", pa.int64())])
_COLOUR = pa.schema([pa.field("colour", pa.dictionary(pa.int8(), pa.string()))])


def _numbered(lengths: list[int]) -> Iterator[pa.RecordBatch]:
    """Batches of these lengths that count their rows from 0."""
    start = 0
    for length in lengths:
        yield pa.record_batch([pa.array(range(start, start + length), pa.int64())], schema=_ID)
        start += length


class Stream(FlexConnectFunction):
    """Batches of the lengths in `batches`, some of them without rows."""

    Name = "Stream"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return pa.RecordBatchReader.from_batches(_ID, _numbered(parameters.get("batches", [2, 0, 3, 0])))


class DictionaryStream(FlexConnectFunction):
    """A dictionary that changes from the second batch to the third."""

    Name = "DictionaryStream"
    Schema = _COLOUR

    def call(self, parameters, columns, headers):  # noqa: ARG002
        chunks = [(["red", "green"], [0, 1, None]), (["red", "green"], [1]), (["blue"], [0, 0])]
        batches = [
            pa.record_batch(
                [pa.DictionaryArray.from_arrays(pa.array(indices, pa.int8()), pa.array(values))], schema=_COLOUR
            )
            for values, indices in chunks
        ]
        return pa.RecordBatchReader.from_batches(_COLOUR, batches)


class FailingStream(FlexConnectFunction):
    """One good batch (unless `batches` says otherwise), then the error that `kind` names."""

    Name = "FailingStream"
    Schema = _ID

    def call(self, parameters, columns, headers):  # noqa: ARG002
        def generate() -> Iterator[pa.RecordBatch]:
            yield from _numbered(parameters.get("batches", [2]))
            match parameters["kind"]:
                case "value":
                    raise ValueError("the stream met a bad value")
                case "flight":
                    raise ErrorInfo("the source went away", "mid-stream", b"body", 1500).to_unavailable_error()
                case "panic":
                    raise AssertionError("a bug in the stream")
                case _:
                    raise RuntimeError("the stream broke")

        return pa.RecordBatchReader.from_batches(_ID, generate())
