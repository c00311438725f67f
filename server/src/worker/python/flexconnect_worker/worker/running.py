"""The tasks that run in this worker, and how a cancellation reaches them."""

import contextvars
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flexconnect_worker.worker.stream import Stream

_MOST_EARLY = 1_024


class Task:
    """One call: its function once there is one, and whether nobody wants its result any more."""

    __slots__ = ("cancelled", "context", "function", "id", "instance", "trace")

    def __init__(self, id_: str, function: str, trace: dict[str, str]) -> None:
        self.id = id_
        self.function = function
        self.trace = trace
        self.instance: Any = None
        self.cancelled = False
        self.context: contextvars.Context | None = None


CURRENT: contextvars.ContextVar[Task | None] = contextvars.ContextVar("flexconnect_task", default=None)
"""The task that the code runs for; copied into tasks of asyncio and into threads that are given a copied context."""


class Tasks:
    """All tasks of this worker and the streams that they left."""

    def __init__(self) -> None:
        self._running: dict[str, Task] = {}
        self._early: OrderedDict[str, None] = OrderedDict()
        self._streams: dict[int, Stream] = {}
        self._last_stream = 0
        self._lock = threading.Lock()

    def begin(self, task: Task) -> None:
        """Makes a task known; a cancellation may have come before it."""
        self._running[task.id] = task
        if self._early and task.id in self._early:
            self._early.pop(task.id, None)
            task.cancelled = True

    def end(self, task: Task) -> None:
        """Forgets a task."""
        self._running.pop(task.id, None)

    def cancel(self, id_: str) -> None:
        """Cancels a task or its stream; calls `cancel` of its function, once, where it may block for ever."""
        task = self._running.get(id_)
        if task is None:
            if self._cancel_streams(id_):
                return
            # The packets of two connections have no order: the call may be about to come, or have come just now.
            self._early[id_] = None
            while len(self._early) > _MOST_EARLY:
                self._early.popitem(last=False)
            task = self._running.get(id_)
        if task is None or task.cancelled:
            return
        task.cancelled = True
        if task.instance is not None:
            threading.Thread(target=_ask, args=(task,), name="flexconnect.cancel", daemon=True).start()

    def _cancel_streams(self, id_: str) -> bool:
        with self._lock:
            found = [stream for stream in self._streams.values() if stream.task.id == id_]
        for stream in found:
            stream.task.cancelled = True
        return bool(found)

    def add_stream(self, stream: "Stream") -> int:
        """Keeps a stream; gives its number."""
        with self._lock:
            self._last_stream += 1
            self._streams[self._last_stream] = stream
            return self._last_stream

    def stream(self, number: int) -> "Stream | None":
        """The stream with a number, unless it has ended."""
        return self._streams.get(number)

    def forget_stream(self, number: int) -> "Stream | None":
        """Takes a stream out."""
        with self._lock:
            return self._streams.pop(number, None)


def _ask(task: Task) -> None:
    try:
        context = task.context
        if context is not None:
            context.copy().run(task.instance.cancel)
    except BaseException:  # noqa: BLE001
        # What becomes of the request is the function's business; the server waits for the call itself.
        return
