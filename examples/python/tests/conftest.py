"""What the tests share: functions that are loaded here, and servers that serve them."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from servers import Server, find

PROJECT = Path(__file__).parent.parent
_CONFIG = [PROJECT / "config" / name for name in ("dev.server.toml", "flexconnect.config.toml")]


@pytest.fixture(scope="session")
def context() -> SimpleNamespace:
    """What `on_load` is given, as far as the functions look at it."""
    return SimpleNamespace(settings={"weather.data": str(PROJECT / "data")})


@pytest.fixture(scope="session", params=["flexconnect-server", "gooddata-flight-server"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the functions and the configuration of this project: ours, and then the vendor's."""
    program = find(request.param)
    with Server(program, _CONFIG, PROJECT / "src", cwd=PROJECT, folder=tmp_path_factory.mktemp("server")) as server:
        yield server
