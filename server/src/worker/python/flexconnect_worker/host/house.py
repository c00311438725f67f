"""The workers that live here: started, read, measured, ended and reaped."""

import os
import signal
import time
from collections.abc import Iterable

from flexconnect_worker import kernel
from flexconnect_worker.host import memory
from flexconnect_worker.host.child import Child, Stream
from flexconnect_worker.host.link import Link, Refused
from flexconnect_worker.host.live import Signs
from flexconnect_worker.host.watch import Watch
from flexconnect_worker.packet import Head, Malformed

_SIGNALS = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL, "ABRT": signal.SIGABRT}


class House:
    """All worker processes of one connection to the server."""

    def __init__(self, link: Link, socket: str, watch: Watch, signs: Signs | None) -> None:
        self._link = link
        self._watch = watch
        self._signs = signs
        self._socket = socket
        self._workers: dict[int, Child] = {}
        self._processes: dict[int, Child] = {}
        self._kills = memory.kills()

    @property
    def empty(self) -> bool:
        """Whether no worker is left."""
        return not self._processes

    def streams(self) -> Iterable[tuple[Child, Stream]]:
        """The output streams that are open."""
        return [
            (child, stream)
            for child in self._processes.values()
            for stream in child.streams
            if stream.descriptor is not None
        ]

    def obey(self, head: Head) -> None:
        """Does what a packet of the server says."""
        try:
            if head["op"] == "start":
                self._start(int(head["worker"]), str(head["key"]), int(head.get("slot") or 0))
            elif head["op"] == "kill":
                child = self._workers.get(int(head["worker"]))
                if child is not None:
                    child.signal(_SIGNALS[head["signal"]])
            elif head["op"] == "health":
                if self._signs is not None:
                    self._signs.ailing([str(module) for module in head["ailing"]])
            elif head["op"] == "refused":
                raise Refused(str(head["message"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"'{head['op']}' has a field that is missing or wrong: {error}") from error

    def signal(self, number: int) -> None:
        """Sends a signal to all workers."""
        for child in self._processes.values():
            child.signal(number)

    def forward(self, child: Child, stream: Stream) -> None:
        """Sends the server what a worker has written."""
        self._tell(child, stream, stream.read())

    def measure(self) -> None:
        """Tells the server how much memory each worker uses."""
        if self._link.waits:
            return
        sizes = {str(child.worker): child.gauge.read(child.pid) for child in self._processes.values()}
        known = {worker: size for worker, size in sizes.items() if size is not None}
        if known:
            self._link.send({"op": "memory", "workers": known})

    def reap(self) -> None:
        """Takes note of all processes that have ended, orphans that were left to this one included."""
        kills: int | None = None
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            child = self._processes.pop(ended.si_pid, None)
            if child is not None:
                if kills is None:
                    kills = memory.kills()
                self._bury(child, ended.si_code == os.CLD_EXITED, ended.si_status, kills > self._kills)
            os.waitpid(ended.si_pid, 0)
            if kills is not None and not self._processes:
                self._kills = kills

    def end(self, seconds: float) -> None:
        """Kills all workers and what they left to this process; waits so long at most that they are gone."""
        self.signal(signal.SIGKILL)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for pid in kernel.children():
                if pid not in (self._watch.pid, *self._processes):
                    _kill(pid)
            ended = _next_ended()
            if ended is not None:
                child = self._processes.pop(ended, None)
                if child is not None:
                    self._close(child)
                os.waitpid(ended, 0)
            elif set(kernel.children()) <= {self._watch.pid}:
                return
            else:
                time.sleep(0.005)

    def _start(self, worker: int, key: str, slot: int) -> None:
        if worker in self._workers:
            raise Malformed(f"worker {worker} is there already")
        try:
            child = Child(worker, key, slot, self._socket, self._watch.mark)
        except (OSError, ValueError) as error:
            self._link.send({"op": "failed", "worker": worker, "message": f"a worker cannot be started: {error}"})
            return
        self._watch.add(child.pid)
        self._workers[worker] = self._processes[child.pid] = child
        self._link.send({"op": "started", "worker": worker, "pid": child.pid})

    def _bury(self, child: Child, by_itself: bool, status: int, killed: bool) -> None:
        child.signal(signal.SIGKILL)
        for stream in child.streams:
            self._tell(child, stream, stream.drain())
        self._close(child)
        del self._workers[child.worker]
        # What left the group has been adopted by this process, if its own parent has ended.
        for pid in kernel.children():
            if pid not in (self._watch.pid, child.pid, *self._processes) and child.left(pid):
                _kill(pid)
        how = {"code": status} if by_itself else {"signal": status}
        oom = killed and not by_itself and status == signal.SIGKILL
        self._link.send({"op": "exited", "worker": child.worker, **how, "oom": oom})

    def _close(self, child: Child) -> None:
        """Lets go of a worker that has ended and is not reaped: until then, nothing else can have its number."""
        child.close()
        self._watch.remove(child.pid)

    def _tell(self, child: Child, stream: Stream, texts: Iterable[tuple[bytes, int]]) -> None:
        for text, dropped in texts:
            head: Head = {"op": "output", "worker": child.worker, "stream": stream.name}
            if dropped:
                head["dropped"] = dropped
            if not self._link.offer(head, text):
                stream.lines.leave_out(len(text) + dropped)


def _next_ended() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended is not None else None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
