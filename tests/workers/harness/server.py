"""The server's side: a socket, a host, workers and slots to speak with."""

import json
import os
import queue
import secrets
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.wire import INLINE, Packet, Wire

PACKAGE = Path(__file__).parents[3] / "server/src/worker/python/flexconnect_worker"
FUNCTIONS = Path(__file__).parents[1] / "functions"
PATIENCE = 30.0
PYTHON = os.environ.get("FLEXCONNECT_WORKERS_PYTHON", sys.executable)
"""The interpreter of hosts and workers, with the vendor's packages; the tests themselves run in their own."""


class Inbox:
    """What comes on one connection, read all the time; each packet is waited for by what it is."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._queue: queue.Queue[Packet | None] = queue.Queue()
        self._kept: list[Packet] = []
        wire.socket.settimeout(None)
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, op: str, body: bytes = b"", **fields: Any) -> None:
        """Sends a packet."""
        self.wire.send(op, body, **fields)

    def next(self, *ops: str) -> Packet:
        """The next packet of one of the kinds; others are kept for later."""
        for index, packet in enumerate(self._kept):
            if packet.op in ops:
                return self._kept.pop(index)
        while True:
            packet = self._queue.get(timeout=PATIENCE)
            if packet is None:
                self._queue.put(None)
                raise EOFError(f"the connection ended before {ops}; there were {self._kept}")
            if packet.op in ops:
                return packet
            self._kept.append(packet)

    def kept(self, op: str) -> list[Packet]:
        """The packets of a kind that nobody has waited for until now."""
        found = [packet for packet in self._kept if packet.op == op]
        self._kept = [packet for packet in self._kept if packet.op != op]
        return found

    def ended(self) -> list[Packet]:
        """Waits for the end of the connection; what came before."""
        while (packet := self._queue.get(timeout=PATIENCE)) is not None:
            self._kept.append(packet)
        self._queue.put(None)
        return self._kept

    def _read(self) -> None:
        try:
            while (packet := self.wire.receive()) is not None:
                self._queue.put(packet)
        except (OSError, AssertionError, ValueError) as error:
            if not isinstance(error, OSError):
                self._queue.put(Packet({"op": "wrong", "error": repr(error)}, b""))
        self._queue.put(None)


class Slot:
    """One slot's connection."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def begin(self, function: str, parameters: bytes = b"{}", **fields: Any) -> str:
        """Sends a call; gives its task's id."""
        task = fields.pop("task", None) or secrets.token_hex(16)
        fields = {"headers": {}, "deadline": None, "trace": {}} | fields
        self.wire.send("call", parameters, task=task, function=function, **fields)
        return task

    def answer(self) -> Packet:
        """The next packet."""
        packet = self.wire.receive()
        assert packet is not None, "the slot's connection ended"
        return packet

    def call(self, function: str, parameters: bytes = b"{}", **fields: Any) -> Packet:
        """Sends a call and waits for its answer."""
        self.begin(function, parameters, **fields)
        return self.answer()

    def pull(self, stream: int, batches: int = 1_000, size: int = 1 << 30, time: int = 60_000) -> list[Packet]:
        """One spell of a stream: its batches, and the packet that ended it."""
        self.wire.send("pull", stream=stream, batches=batches, bytes=size, time=time)
        packets = [self.answer()]
        while packets[-1].op == "batch":
            packets.append(self.answer())
        return packets


class Worker:
    """A worker's own connection, and those of its slots."""

    def __init__(self, number: int, key: str, server: "Server") -> None:
        self.number = number
        self.key = key
        self._server = server
        self.inbox: Inbox
        self.pid = 0
        self.slots: list[Slot] = []

    def load(self, *modules: str, **fields: Any) -> Packet:
        """Has modules loaded; gives what the worker said to it."""
        about = {
            "modules": list(modules),
            "files": [],
            "settings": {},
            "server": {"task_threads": 4},
            "location": "grpc://127.0.0.1:17001",
            "logging": {"level": "info", "ini": None},
            "tracing": {},
            "threads": 4,
        }
        about |= fields
        text = json.dumps(about).encode()
        if len(text) > INLINE:
            self.inbox.send("load", text)
        else:
            self.inbox.send("load", **about)
        return self.inbox.next("loaded", "unloadable")

    def open_slots(self, count: int) -> list[Slot]:
        """Asks for slots until there are so many."""
        self.inbox.send("slots", count=count)
        while len(self.slots) < count:
            hello, wire = self._server.accepted("slot", self.number)
            assert hello.head == {"op": "slot", "worker": self.number, "key": self.key}
            self.slots.append(Slot(wire))
        return self.slots

    def output(self, stream: str, needle: bytes) -> bytes:
        """What the worker wrote past Python, until something is in it."""
        text = b""
        while needle not in text:
            packet = self._server.host.next("output")
            if packet.head["worker"] == self.number and packet.head["stream"] == stream:
                text += packet.body
        return text

    def exited(self) -> dict[str, Any]:
        """Waits until the host says that the worker has ended, and how."""
        while True:
            packet = self._server.host.next("exited")
            if packet.head["worker"] == self.number:
                return packet.head


class Server:
    """A listening socket and the host that is started beside it."""

    def __init__(self, folder: Path, python: str = PYTHON, *, once: bool = True) -> None:
        self.path = folder / "server.sock"
        self.python = python
        self._options = ["--once"] if once else []
        self._workers = 0
        self._waiting: list[tuple[Packet, Wire]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        self._listener.settimeout(PATIENCE)
        self.process: subprocess.Popen[bytes] | None = None
        self.host: Inbox
        self.hello: Packet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def start_host(self, *options: str, **variables: str) -> Inbox:
        """Starts the host, as the server does, and waits for its first packet."""
        environment = os.environ | {"PYTHONPATH": str(FUNCTIONS)} | variables
        command = [self.python, "-I", str(PACKAGE), "host", "--socket", str(self.path), *self._options, *options]
        self.process = subprocess.Popen(command, env=environment)
        return self.meet_host()

    def meet_host(self) -> Inbox:
        """Waits for a host that connects."""
        self.hello, wire = self.accepted("host")
        self.host = Inbox(wire)
        return self.host

    def start_worker(self, slot: int = 0) -> Worker:
        """Has a worker started and waits for it to show itself."""
        self._workers += 1
        worker = Worker(self._workers, secrets.token_hex(16), self)
        self.host.send("start", worker=worker.number, key=worker.key, slot=slot)
        started = self.host.next("started")
        hello, wire = self.accepted("worker", worker.number)
        worker.inbox, worker.pid = Inbox(wire), hello.head["pid"]
        assert hello.head == {"op": "worker", "worker": worker.number, "key": worker.key, "pid": started.head["pid"]}
        return worker

    def ready(self, *modules: str, slots: int = 1, **fields: Any) -> Worker:
        """A worker with modules loaded and slots open."""
        worker = self.start_worker()
        loaded = worker.load(*modules, **fields)
        assert loaded.op == "loaded", loaded
        worker.open_slots(slots)
        return worker

    def accepted(self, op: str, worker: int | None = None) -> tuple[Packet, Wire]:
        """The next connection of a kind, with its first packet."""
        for index, (hello, wire) in enumerate(self._waiting):
            if hello.op == op and worker in (None, hello.head.get("worker")):
                self._waiting.pop(index)
                return hello, wire
        while True:
            wire = Wire(self._listener.accept()[0])
            hello = wire.receive()
            assert hello is not None
            if hello.op == op and worker in (None, hello.head.get("worker")):
                return hello, wire
            self._waiting.append((hello, wire))

    def close(self) -> None:
        """Goes away as an ended server does; the host has to follow."""
        self._listener.close()
        if hasattr(self, "host"):
            self.host.wire.socket.shutdown(socket.SHUT_RDWR)
        if self.process is not None:
            if not self._options:
                self.process.terminate()
            self.process.wait(PATIENCE)
