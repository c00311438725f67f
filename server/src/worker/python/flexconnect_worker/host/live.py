"""Whether the host is well, for the probe of its container: a file beside the socket, as old as the last sign of life.

It is empty when all is well, and else names the modules that are not.
"""

import contextlib
import os
import time
from pathlib import Path

_STUCK = 30.0


class Signs:
    """What the host shows of itself."""

    def __init__(self, socket: str) -> None:
        self._path = _file(socket)
        self._ailing = ""

    def ailing(self, modules: list[str]) -> None:
        """Takes note of the modules that are not well."""
        self._ailing = "\n".join(modules)
        self.show()

    def show(self) -> None:
        """Tells that all goes on; to be called every few seconds."""
        # A folder that is not there yet, or is full, is told by who cannot connect, and by the probe.
        with contextlib.suppress(OSError):
            new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            new.write_text(self._ailing)
            new.replace(self._path)

    def take_away(self) -> None:
        """Shows nothing any more."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def why_not(socket: str) -> str | None:
    """What is wrong with the host of a socket; none when it is well."""
    path = _file(socket)
    try:
        age = time.time() - path.stat().st_mtime
        ailing = path.read_text()
    except OSError as error:
        return f"no host shows itself in {path}: {error.strerror}"
    if age > _STUCK:
        return f"the host has not moved for {age:.0f} s"
    if ailing:
        return f"not well by their own account: {', '.join(ailing.splitlines())}"
    return None


def _file(socket: str) -> Path:
    path = Path(socket)
    return path.with_name(f"{path.name}.live")
