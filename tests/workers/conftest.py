"""Starts the host beside a socket on which the tests play the server."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.server import Server, Slot, Worker

MODULES = ("plain", "raising", "streaming", "talking", "harmful", "contextual")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its host; both are gone at the end."""
    with Server(tmp_path_factory.mktemp("server")) as server:
        server.start_host()
        yield server


@pytest.fixture(scope="session")
def worker(server: Server) -> Worker:
    """A worker that lives through the whole run, which is a test as well."""
    return server.ready(*MODULES, slots=4)


@pytest.fixture
def slot(worker: Worker) -> Slot:
    """A slot of that worker."""
    return worker.slots[0]


@pytest.fixture
def fresh(server: Server) -> Worker:
    """A worker that a test may break."""
    return server.ready(*MODULES, slots=2)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Opens the gate at which functions wait; `gate.path` is where it is. What waits there at the end goes on."""
    path = tmp_path / "gate"
    os.mkfifo(path)

    def go() -> None:
        path.write_text("go")

    go.path = str(path)
    yield go
    # Somebody may still wait for the gate, or nobody: opening for both neither blocks nor fails.
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    threading.Timer(0.0, os.close, [descriptor]).start()
