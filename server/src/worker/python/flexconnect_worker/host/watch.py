"""A small process that outlives the host by a moment: when the host is killed, it kills what workers have started."""

import contextlib
import os
import secrets
import signal
import time

from flexconnect_worker import kernel

_SEARCH = 5.0


class Watch:
    """Knows the process groups of all workers, and the mark that is in the environment of all that comes from them.

    Workers themselves die with the host, by their parent-death signal; but the programs that user code started would
    stay, and nobody would know of them. One that leaves its group and empties its environment stays after all.
    """

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        reading, self._writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self._writing)
                _keep(reading, self.mark)
            finally:
                os._exit(0)
        os.close(reading)

    def add(self, group: int) -> None:
        """A group that shall not outlive the host."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """A group that has ended, to be called before its number can be used again."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Ends the process and waits for that."""
        os.close(self._writing)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _tell(self, line: str) -> None:
        # Without it nothing is lost but the last line of defence.
        with contextlib.suppress(OSError):
            os.write(self._writing, line.encode())


def _keep(reading: int, mark: str) -> None:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    with open(reading, "rb") as lines:
        for line in lines:
            group = int(line[1:])
            (groups.add if line.startswith(b"+") else groups.discard)(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    # Until nothing is found, since what is killed may have started something in the meantime.
    until = time.monotonic() + _SEARCH
    while (left := [pid for pid in kernel.processes() if (kernel.mark(pid) or "").startswith(f"{mark}.")]) and (
        time.monotonic() < until
    ):
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
