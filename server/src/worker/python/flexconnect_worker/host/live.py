"""Whether the host is well, for the probe of its container: a file of its own, as old as the last sign of life.

It is empty when all is well, and else names the modules that are not. It lies among temporary files, since the volume
of the socket is better not written to from where user code runs.
"""

import contextlib
import os
import tempfile
import time
import zlib
from pathlib import Path

_STUCK = 30.0


class Signs:
    """What the host shows of itself."""

    def __init__(self, socket: str) -> None:
        self._path = file(socket)
        self._ailing: str | None = None
        self.ailing([])

    def ailing(self, modules: list[str]) -> None:
        """Takes note of the modules that are not well."""
        self._ailing = "\n".join(modules)
        # Where it cannot be written, the probe finds none.
        with contextlib.suppress(OSError):
            descriptor, new = tempfile.mkstemp(prefix=f"{self._path.name}.", dir=self._path.parent)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._ailing)
            Path(new).replace(self._path)

    def show(self) -> None:
        """Tells that all goes on; to be called every few seconds."""
        try:
            os.utime(self._path)
        except OSError:
            self.ailing((self._ailing or "").splitlines())

    def take_away(self) -> None:
        """Shows nothing any more."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def why_not(socket: str) -> str | None:
    """What is wrong with the host of a socket; none when it is well."""
    path = file(socket)
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


def file(socket: str) -> Path:
    """The file of the host of a socket."""
    number = zlib.crc32(os.fsencode(Path(socket).absolute()))
    return Path(tempfile.gettempdir()) / f"flexconnect-host-{number:08x}.live"
