"""What user code writes and logs, on its way to the server: in order, in bounds, never waited for."""

import logging
import os
import select
import socket
import threading
import time
from collections import deque
from typing import Any

from flexconnect_worker.worker.running import CURRENT
from flexconnect_worker.worker.text import clip, describe, dumps, fitting

LONGEST = 8_192
"""The most characters of an event's text, or of one field's."""
_MOST_FIELDS = 64
_LARGEST = 24_576
_PACKET = 49_152
_MOST_WAITING = 2 << 20
_GATHER = 0.005
_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "critical"}


class Journal:
    """Events wait here until a slot is about to answer, or some milliseconds; what is too much is counted."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._process = os.getpid()
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._sending = threading.Lock()
        self._there = threading.Event()
        threading.Thread(target=self._serve, name="flexconnect.journal", daemon=True).start()

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        return bool(self._events) or self._dropped > 0

    def add(self, level: int, logger: str, event: str, fields: dict[str, Any] | None = None, when: float = 0.0) -> None:
        """Takes an event of the code that runs now; `when` is in seconds since 1970."""
        if os.getpid() != self._process:
            # A child that user code forked has no connection: the host reads what it writes.
            _write(f"{event}\n")
            return
        if self._bytes > _MOST_WAITING:
            self._dropped += 1
            return
        text = _encode(level, logger, event, fields, when or time.time())
        self._events.append(text)
        self._bytes += len(text)
        if not self._there.is_set():
            self._there.set()

    def flush(self) -> None:
        """Sends what is there, unless the server is slow or somebody else sends."""
        if self._sending.acquire(blocking=False):
            try:
                self._send()
            finally:
                self._sending.release()

    def finish(self, seconds: float) -> None:
        """Sends what is there, waiting so long at most for the server to take it."""
        until = time.monotonic() + seconds
        while self.waits and time.monotonic() < until:
            with self._sending:
                done = self._send()
            if not done:
                select.select([], [self._connection], [], max(0.0, until - time.monotonic()))

    def _serve(self) -> None:
        while True:
            self._there.wait()
            time.sleep(_GATHER)
            self._there.clear()
            try:
                self.finish(3_600.0)
            except (OSError, ValueError):
                # The connection is closed: whoever reads it ends this process.
                return

    def _send(self) -> bool:
        """Whether all went out."""
        while self._events or self._dropped:
            taken, dropped = self._take()
            more = f',"dropped":{dropped}'.encode() if dropped else b""
            head = b'{"op":"log","events":[' + b",".join(taken) + b"]" + more + b"}"
            try:
                self._connection.sendmsg([len(head).to_bytes(4, "little"), head], (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                self._events.extendleft(reversed(taken))
                self._bytes += sum(map(len, taken))
                self._dropped += dropped
                return False
        return True

    def _take(self) -> tuple[list[bytes], int]:
        taken: list[bytes] = []
        room = _PACKET
        while self._events and room >= len(self._events[0]) + 1:
            event = self._events.popleft()
            room -= len(event) + 1
            taken.append(event)
        self._bytes -= sum(map(len, taken))
        dropped, self._dropped = self._dropped, 0
        return taken, dropped


def _encode(level: int, logger: str, event: str, fields: dict[str, Any] | None, when: float) -> bytes:
    head: dict[str, Any] = {
        "time": int(when * 1000),
        "level": _LEVELS[min(50, max(10, level // 10 * 10))],
        "logger": clip(logger, 256),
        "event": clip(event, LONGEST),
        **_where(),
        "fields": {},
    }
    if fields:
        head["fields"] = {clip(str(name), 256): _plain(value) for name, value in list(fields.items())[:_MOST_FIELDS]}
    text = dumps(head)
    if len(text) > _LARGEST:
        head["fields"] = {"left_out": "the fields of this event are too large"}
        text = fitting(head, _LARGEST)
    return text


def _where() -> dict[str, str]:
    task = CURRENT.get()
    if task is None:
        return {}
    where = {"task": task.id, "function": task.function}
    parent = task.trace.get("traceparent")
    if parent:
        parts = parent.split("-")
        if len(parts) >= 3:
            where |= {"trace": parts[1], "span": parts[2]}
    return where | _span()


def _span() -> dict[str, str]:
    from flexconnect_worker.worker import tracing  # noqa: PLC0415

    return tracing.current()


def _plain(value: Any) -> Any:
    """A field's value in bounds; what is no plain JSON value becomes text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return clip(value, LONGEST)
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        plain = sorted(map(describe, value)) if isinstance(value, (set, frozenset)) else value
        text = dumps(plain)
        return plain if len(text) <= LONGEST else clip(text.decode("utf-8", "replace"), LONGEST)
    return describe(value)


def _write(text: str) -> None:
    try:
        os.write(2, text.encode("utf-8", "replace"))
    except OSError:
        logging.lastResort = None
