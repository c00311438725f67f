"""`sys.stdout` and `sys.stderr` as events, a line each, with the task that wrote them."""

import io
import sys
import threading
from collections.abc import Iterable
from typing import Any

from flexconnect_worker.worker.journal import LONGEST, Journal

_INFO = 20


class _Unfinished(threading.local):
    """The line that a thread has begun, and the characters of it that nobody will see."""

    text = ""
    cut = 0


class Output(io.TextIOBase):
    """A text stream whose lines are events; each thread's lines are its own."""

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"

    def __init__(self, name: str, descriptor: int, journal: Journal) -> None:
        self.name = f"<{name}>"
        self._logger = name
        self._descriptor = descriptor
        self._journal = journal
        self._unfinished = _Unfinished()
        self.buffer = Bytes(self)

    def write(self, text: str) -> int:
        """Takes text; a line that is not finished waits for its end, or that of the call."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        begin = 0
        while (end := text.find("\n", begin)) >= 0:
            self._keep(text, begin, end)
            self.finish()
            begin = end + 1
        self._keep(text, begin, len(text))
        return len(text)

    def finish(self) -> None:
        """Ends the line that this thread has begun."""
        mine = self._unfinished
        line, cut = mine.text, mine.cut
        if line:
            mine.text, mine.cut = "", 0
            self._journal.add(_INFO, self._logger, line, {"cut": cut} if cut else None)

    def fileno(self) -> int:
        """The descriptor that is really the process's output; the host reads it."""
        return self._descriptor

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """It is not."""
        return False

    def close(self) -> None:
        """Does nothing: the process's output does not end before the process."""

    def reconfigure(self, **_: Any) -> None:
        """Does nothing: programs ask for line buffering, which this is."""

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """As `write`, line by line."""
        for line in lines:
            self.write(line)

    def _keep(self, text: str, begin: int, end: int) -> None:
        if begin < end:
            mine = self._unfinished
            room = LONGEST - len(mine.text)
            mine.text += text[begin : min(end, begin + room)]
            mine.cut += max(0, end - begin - room)


class Bytes(io.BufferedIOBase):
    """`sys.stdout.buffer`: bytes, taken as UTF-8."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.raw = self

    def write(self, data: Any) -> int:
        """Takes bytes."""
        view = memoryview(data).cast("B")
        self._output.write(bytes(view).decode("utf-8", "backslashreplace"))
        return len(view)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """As the text stream's."""
        return self._output.fileno()

    def close(self) -> None:
        """Does nothing."""


_INSTALLED: list[Output] = []


def install(journal: Journal) -> None:
    """Replaces the two streams."""
    _INSTALLED[:] = [Output("stdout", 1, journal), Output("stderr", 2, journal)]
    sys.stdout, sys.stderr = _INSTALLED


def finish() -> None:
    """Ends the lines that this thread has begun, in the name of the task that it runs."""
    for stream in _INSTALLED:
        stream.finish()
