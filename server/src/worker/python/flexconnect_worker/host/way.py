"""The way to the server: tried again and again, and each new obstacle is told once."""

import contextlib
import os
import selectors
import sys
import time
from pathlib import Path

from flexconnect_worker import packet
from flexconnect_worker.host.link import Link
from flexconnect_worker.host.live import Signs
from flexconnect_worker.host.signals import Signals, Told

_FIRST_PAUSE, _LONGEST_PAUSE, _REFUSED_PAUSE = 0.05, 2.0, 5.0
_ONCE = 10.0
_LONGEST_PATH = 107


class Way:
    """Finds a server at a socket."""

    def __init__(self, path: str, signals: Signals, signs: Signs | None, *, once: bool) -> None:
        self.path = path
        self.signals = signals
        self.signs = signs
        self.once = once
        self._said = ""
        length = len(os.fsencode(path))
        if length > _LONGEST_PATH:
            sys.exit(f"the path of a socket has {_LONGEST_PATH} bytes at most, and this one has {length}: {path}")

    def find(self) -> Link:
        """A connection to a server, however long that takes; one that has its host as a child has it at once."""
        pause, began = _FIRST_PAUSE, time.monotonic()
        while True:
            try:
                link = Link(packet.connect(self.path))
            except OSError as error:
                if self.once and time.monotonic() - began > _ONCE:
                    sys.exit(f"the server does not answer on {self.path}: {error}")
                self.say(f"no server on {self.path}: {_obstacle(self.path, error)}; it is waited for")
            else:
                self.say(f"a server is there, on {self.path}")
                return link
            self.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def wait(self, seconds: float = _LONGEST_PAUSE) -> None:
        """Lets time pass; raises `Told` when this process shall end."""
        self.live()
        with selectors.DefaultSelector() as selector:
            selector.register(self.signals.descriptor, selectors.EVENT_READ)
            selector.select(seconds)
        if self.signals.take():
            raise Told
        _reap_strangers()

    def wait_long(self) -> None:
        """Lets a server be that has a host already."""
        until = time.monotonic() + _REFUSED_PAUSE
        while (left := until - time.monotonic()) > 0:
            self.wait(left)

    def live(self) -> None:
        """Shows that this process goes on."""
        if self.signs is not None:
            self.signs.show()

    def say(self, text: str) -> None:
        """Writes a line for people, unless it is the same as the last. A child's lines are its server's business."""
        if not self.once and text != self._said:
            self._said = text
            print(f"flexconnect host: {text}", file=sys.stderr, flush=True)


def _obstacle(path: str, error: OSError) -> str:
    reason = error.strerror or str(error)
    if isinstance(error, PermissionError):
        groups = ", ".join(str(group) for group in sorted({os.getegid(), *os.getgroups()}))
        with contextlib.suppress(OSError):
            there = Path(path).stat()
            return (
                f"{reason}: it is for user {there.st_uid} and group {there.st_gid}, and this process is user "
                f"{os.geteuid()} with the groups {groups}; give both containers one group (fsGroup)"
            )
        return f"{reason} in its folder: this process is user {os.geteuid()} with the groups {groups}"
    if isinstance(error, FileNotFoundError) and not Path(path).parent.is_dir():
        return f"the folder {Path(path).parent} is not there: mount the volume that the server has its socket on"
    return reason


def _reap_strangers() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
