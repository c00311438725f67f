"""A small process that outlives the host by a moment: when the host is killed, it kills what workers have started."""

import contextlib
import os
import signal


class Watch:
    """Knows the process groups of all workers.

    Workers themselves die with the host, by their parent-death signal; but the programs that user code started in
    their groups would stay, and nobody would know of them.
    """

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self._writing)
                _keep(reading)
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


def _keep(reading: int) -> None:
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
