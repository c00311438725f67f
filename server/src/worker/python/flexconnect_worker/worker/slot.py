"""One slot: a thread with a connection of its own, which runs one call at a time."""

import socket
import threading
from collections.abc import Sequence
from time import thread_time_ns
from typing import Any

import pyarrow as pa

from flexconnect_worker import packet
from flexconnect_worker.packet import Head
from flexconnect_worker.worker import call
from flexconnect_worker.worker.ending import Ending
from flexconnect_worker.worker.failure import bad_argument, failure
from flexconnect_worker.worker.journal import Journal
from flexconnect_worker.worker.running import Task, Tasks
from flexconnect_worker.worker.stream import Stream
from flexconnect_worker.worker.table import Schemas, encode
from flexconnect_worker.worker.text import describe, fitting, loads
from flexconnect_worker.worker.verifier import Verifier

_TABLE: Head = {"op": "table"}
_TABLE_PREFIX = packet.prefixed(packet.encode(_TABLE))
_REST = packet.pack({"op": "rest"})
_END = packet.pack({"op": "end"})
_FEW = 900
_LARGEST_HEAD = 28_672
# From here on it is asked where a table goes.
_LARGE = 8 << 20
# Microseconds of processor time that nobody needs to know of.
_SHORT = 1_000


class Slot:
    """Answers the server's `call`, `pull` and `verify` packets, one after the other."""

    def __init__(
        self,
        connection: socket.socket,
        functions: dict[str, Any],
        verifier: Verifier | None,
        tasks: Tasks,
        journal: Journal,
        ending: Ending,
    ) -> None:
        self._connection = connection
        self._functions = functions
        self._verifier = verifier
        self._tasks = tasks
        self._schemas = Schemas()
        self._buffer = bytearray(packet.LIMIT)
        self._journal = journal
        self._ending = ending
        self._began = 0

    def start(self, number: int) -> None:
        """Begins to serve on a thread of its own."""
        threading.Thread(target=self._serve, name=f"flexconnect.slot-{number}", daemon=True).start()

    def _serve(self) -> None:
        # A slot that cannot speak with the server any more leaves a call unanswered; only the end of the process tells.
        try:
            while True:
                self._answer()
        except packet.Ended:
            self._ending.at_once()
        except BaseException as error:  # noqa: BLE001
            self._ending.at_once(f"a slot cannot go on: {type(error).__name__}: {describe(error)}")

    def _answer(self) -> None:
        text, inline, descriptor = packet.receive_into(self._buffer, self._connection)
        head = loads(text)
        body = inline if descriptor is None else packet.whole(descriptor, head["body"])
        if head["op"] == "call":
            self._call(head, body)
        elif head["op"] == "pull":
            self._pull(head)
        elif head["op"] == "verify" and self._verifier is not None:
            self._say(*self._verifier.answer(head))
        else:
            raise packet.Malformed(f"a slot knows no '{head['op']}'")

    def _call(self, head: Head, body: bytes | bytearray) -> None:
        task = Task(head["task"], head["function"], head.get("trace") or {})
        function = self._functions.get(task.function)
        if function is None:
            self._say(*bad_argument(f"Unsupported FlexConnect function '{task.function}'."))
            return
        self._tasks.begin(task)
        self._began = thread_time_ns()
        try:
            result = call.run(function, task, head, body)
            if isinstance(result, pa.Table):
                self._give_table(*encode(result, self._schemas))
            else:
                self._give_stream(task, result)
        except OSError as error:
            if self._broken():
                raise
            self._fail_call(task, error)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the call is answered and the slot goes on
            self._fail_call(task, error)
        finally:
            self._tasks.end(task)
            # The context refers to the task: together they would wait for the collector.
            task.instance = task.context = None

    def _taken(self) -> Head:
        """The processor time of the call, where it is worth telling."""
        microseconds = (thread_time_ns() - self._began) // 1_000
        return {"cpu": microseconds} if microseconds >= _SHORT else {}

    def _give_table(self, pieces: Sequence[Any], size: int) -> None:
        if self._journal.waits:
            self._journal.flush()
        if size <= packet.INLINE and len(pieces) < _FEW:
            taken = self._taken()
            prefix = packet.prefixed(packet.encode({**_TABLE, **taken})) if taken else _TABLE_PREFIX
            self._connection.sendmsg([prefix, *pieces])
        elif size < _LARGE:
            packet.send_pieces(self._connection, {**_TABLE, **self._taken()}, pieces, size)
        else:
            self._give_large_table(pieces, size)

    def _give_large_table(self, pieces: Sequence[Any], size: int) -> None:
        self._connection.send(packet.pack({"op": "large", "bytes": size}))
        text, _, descriptor = packet.receive(self._connection)
        head = loads(text)
        if head["op"] != "put":
            raise packet.Malformed(f"'{head['op']}' is no answer to where a table goes")
        if descriptor is not None:
            packet.fill(descriptor, pieces, size)
            self._connection.send(packet.pack({**_TABLE, **self._taken()}))
        elif head["into"] == "memory":
            packet.send_pieces(self._connection, {**_TABLE, **self._taken()}, pieces, size)
        else:
            # Nobody reads this: the server knows that it has no room.
            self._connection.send(packet.pack({"op": "error", "kind": "unavailable", "message": "no room"}))

    def _give_stream(self, task: Task, reader: pa.RecordBatchReader) -> None:
        assert task.context is not None
        stream = Stream(task, reader, task.context)
        head: Head = {"op": "stream", "stream": self._tasks.add_stream(stream), **self._taken()}
        packet.send_pieces(self._connection, head, [stream.message], len(stream.message))

    def _pull(self, head: Head) -> None:
        number = int(head["stream"])
        stream = self._tasks.stream(number)
        if stream is None:
            self._say(*bad_argument(f"there is no stream {number}"))
            return
        try:
            more = stream.pull(int(head["batches"]), int(head["bytes"]), head["time"] / 1000, self._give_batch)
        except BaseException as error:
            if isinstance(error, OSError) and self._broken():
                raise
            self._tasks.forget_stream(number)
            self._say(*failure(error, stream.task.id, stream.task.cancelled))
            return
        if not more:
            self._tasks.forget_stream(number)
        self._connection.send(_REST if more else _END)

    def _give_batch(self, pieces: Sequence[Any], size: int) -> None:
        if self._journal.waits:
            self._journal.flush()
        packet.send_pieces(self._connection, {"op": "batch"}, pieces, size)

    def _fail_call(self, task: Task, error: BaseException) -> None:
        head, body = failure(error, task.id, task.cancelled)
        self._say({**head, **self._taken()}, body)

    def _say(self, head: Head, body: bytes) -> None:
        if self._journal.waits:
            self._journal.flush()
        if len(body) > packet.INLINE:
            body = b""
        self._connection.sendmsg([packet.prefixed(fitting(head, _LARGEST_HEAD)), body])

    def _broken(self) -> bool:
        """Whether an error came from the connection, not from the function."""
        try:
            return self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        except OSError:
            return True
