"""A function that returns what a file on the stage holds, so that tests alone decide about the data."""

from collections.abc import Iterator

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ServerContext

from compat_functions.stage import Stage

_PATIENCE_SECONDS = 30
_ID = pa.schema([pa.field("id", pa.int64())])


class Stored(FlexConnectFunction):
    """The rows of an Arrow IPC stream in the file `file`, as a table or (`stream`) batch by batch; of each batch only
    the `window`, which is an offset and a length. Batches behind the first wait for the file `release-KEY`, if a `key`
    says so.
    """

    Name = "Stored"
    Schema = _ID

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        Stage.load(ctx)

    def call(self, parameters, columns, headers):  # noqa: ARG002
        with pa.ipc.open_stream(Stage.folder / parameters["file"]) as reader:
            schema, batches = reader.schema, list(reader)
        if window := parameters.get("window"):
            batches = [batch.slice(*window) for batch in batches]
        if parameters.get("stream"):
            return pa.RecordBatchReader.from_batches(schema, _slowly(batches, parameters.get("key")))
        return pa.Table.from_batches(batches, schema)


def _slowly(batches: list[pa.RecordBatch], key: str | None) -> Iterator[pa.RecordBatch]:
    for number, batch in enumerate(batches):
        if number and key is not None:
            Stage.wait_for(f"release-{key}", _PATIENCE_SECONDS)
        yield batch
