"""A result that is made while it is read."""

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from flexconnect_worker.worker import output
from flexconnect_worker.worker.failure import Cancelled
from flexconnect_worker.worker.table import Batches

if TYPE_CHECKING:
    from flexconnect_worker.worker.running import Task


class Stream:
    """The reader that a function returned; at most one thread at a time runs what is behind it."""

    def __init__(self, task: "Task", reader: pa.RecordBatchReader, context: contextvars.Context) -> None:
        self.task = task
        self._reader: pa.RecordBatchReader | None = reader
        self._context = context
        self._batches = Batches(reader.schema)
        self._lock = threading.Lock()
        self._dropped = False

    @property
    def message(self) -> bytes:
        """The message of the schema."""
        return self._batches.message

    def pull(self, batches: int, size: int, seconds: float, give: Callable[[Sequence[Any], int], None]) -> bool:
        """Gives batches until one of the limits is reached; false at the end of the stream.

        Raises what the function raises, and `Cancelled`; the stream has ended then.
        """
        with self._lock:
            try:
                more = self._pull(batches, size, seconds, give)
            except BaseException:
                self._close()
                raise
            if not more:
                self._close()
            return more

    def drop(self) -> None:
        """Ends the stream, as soon as nobody runs it."""
        self._dropped = True
        with self._lock:
            self._close()

    def _pull(self, batches: int, size: int, seconds: float, give: Callable[[Sequence[Any], int], None]) -> bool:
        until = time.monotonic() + seconds
        while True:
            if self.task.cancelled:
                raise Cancelled
            if self._dropped or self._reader is None:
                return False
            try:
                batch = self._context.run(_next, self._reader)
            except StopIteration:
                return False
            pieces, count = self._batches.encode(batch)
            give(pieces, count)
            batches -= 1
            size -= count
            if batches <= 0 or size <= 0 or time.monotonic() >= until:
                return True

    def _close(self) -> None:
        if self._reader is not None:
            readers, self._reader = [self._reader], None
            # The end of a generator is the function's code too: it may raise, and nobody is left to be told.
            with contextlib.suppress(BaseException):
                self._context.run(_end, readers)


def _end(readers: list[pa.RecordBatchReader]) -> None:
    # A generator ends with the last reference to it, which has to go here, where it belongs to its task.
    try:
        readers.pop().close()
    finally:
        output.finish()


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch:
    try:
        return reader.read_next_batch()
    finally:
        output.finish()
