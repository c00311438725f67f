"""Signals as something to wait for."""

import contextlib
import os
import signal


class Told(Exception):  # noqa: N818
    """Somebody told this process to end."""


class Signals:
    """Those that end this process, and those of children that have ended."""

    def __init__(self, ends: set[signal.Signals]) -> None:
        self.descriptor, writing = os.pipe()
        for end in (self.descriptor, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._ends = ends
        self.told = False
        for number in (signal.SIGCHLD, *ends):
            signal.signal(number, lambda *_: None)

    def take(self) -> bool:
        """Whether one of those that end this process has come now; `told` remembers it."""
        with contextlib.suppress(BlockingIOError):
            if any(number in self._ends for number in os.read(self.descriptor, 4096)):
                self.told = True
                return True
        return False
