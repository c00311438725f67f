"""One worker process as the host sees it: its pipes, its process group, how it ended."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from flexconnect_worker import kernel
from flexconnect_worker.host.lines import Lines
from flexconnect_worker.host.memory import Gauge

_FOLDER = Path(__file__).resolve().parent.parent
_CHUNK = 65_536
_BURST = 1 << 20
_PER_SECOND = 1 << 18


class Stream:
    """One of a worker's output streams; what is written faster than anybody could want to read is counted only."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.descriptor: int | None = descriptor
        self.lines = Lines()
        self._credit = float(_BURST)
        self._seen = time.monotonic()
        os.set_blocking(descriptor, False)

    def read(self) -> Iterator[tuple[bytes, int]]:
        """Texts of what is there now, each with the bytes left out; closes the pipe at its end."""
        if self.descriptor is None:
            return
        try:
            data = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.close()
            yield from self.lines.finish()
        elif self._affordable(len(data)):
            yield from self.lines.feed(data)
        else:
            self.lines.leave_out(len(data))

    def drain(self) -> Iterator[tuple[bytes, int]]:
        """What the ended process left in the pipe; then the pipe is closed."""
        for _ in range(_BURST // _CHUNK):
            before = self._seen
            yield from self.read()
            if self.descriptor is None:
                return
            if before == self._seen:
                break
        self.close()
        yield from self.lines.finish()

    def close(self) -> None:
        """Closes the pipe."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def _affordable(self, count: int) -> bool:
        now = time.monotonic()
        self._credit = min(_BURST, self._credit + (now - self._seen) * _PER_SECOND)
        self._seen = now
        if count > self._credit:
            return False
        self._credit -= count
        return True


class Child:
    """A started worker process, the leader of a session and so of a process group of its own."""

    def __init__(self, worker: int, key: str, slot: int, socket: str, mark: str) -> None:
        self.worker = worker
        self._mark = f"{mark}.{worker}"
        self.gauge = Gauge()
        with contextlib.ExitStack() as inherited:
            pipes = {}
            for name in ("stdout", "stderr"):
                reading, writing = os.pipe()
                inherited.callback(os.close, writing)
                pipes[name] = (reading, writing)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-X", "faulthandler", str(_FOLDER), "worker"],
                    stdin=subprocess.PIPE,
                    stdout=pipes["stdout"][1],
                    stderr=pipes["stderr"][1],
                    start_new_session=True,
                    env={**os.environ, kernel.MARK: self._mark},
                )
            except BaseException:
                for reading, _ in pipes.values():
                    os.close(reading)
                raise
        self.pid = self._process.pid
        self.streams = [Stream(name, reading) for name, (reading, _) in pipes.items()]
        # Not among the arguments, which every process of the machine can read.
        self._tell({"worker": worker, "key": key, "slot": slot, "socket": socket, "parent": os.getpid()})

    def signal(self, number: int) -> None:
        """Sends a signal to the worker and to all that it started in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def left(self, pid: int) -> bool:
        """Whether a process comes from this worker, by the environment that it was given."""
        return kernel.mark(pid) == self._mark

    def close(self) -> None:
        """Ends what is left of the group, to be called before the worker is reaped: until then its number is taken."""
        self.signal(signal.SIGKILL)
        self._process.returncode = 0
        for stream in self.streams:
            stream.close()

    def _tell(self, about: dict[str, object]) -> None:
        pipe = self._process.stdin
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError), pipe:
                pipe.write(json.dumps(about).encode())
