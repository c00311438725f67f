"""Starts the host beside a socket on which the tests play the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with its host; both are gone at the end."""
    with Server(tmp_path) as server:
        server.start_host()
        yield server
