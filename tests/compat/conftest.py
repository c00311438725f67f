"""Starts the servers that the tests compare: the vendor's Python server from PyPI, and ours."""

import os
from collections.abc import Iterator

import pytest
from harness.certificates import Authority
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Kind, Program, of_service, ours, vendors

_VARIABLE = "FLEXCONNECT_COMPAT_SERVER"
_BUILD = f"build it with 'cargo build -p flexconnect-compat' and set {_VARIABLE} to target/debug/flexconnect-compat"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets the reference implementation prove the tests by itself."""
    parser.addoption("--only", choices=("python", "ours"), help="test one of the two servers by itself")
    parser.addoption(
        "--functions", choices=("rust", "python"), default="rust", help="what our server's functions are written in"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuses to begin without our server."""
    if config.getoption("--only") == "python":
        return
    path = os.environ.get(_VARIABLE)
    if not path:
        raise pytest.UsageError(f"{_VARIABLE} does not name our server: {_BUILD}")
    if not os.access(path, os.X_OK):
        raise pytest.UsageError(f"{_VARIABLE}={path} is not a program: {_BUILD}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is about our server, or about functions in Rust, when these are not there."""
    unasked = []
    if config.getoption("--only") == "python":
        unasked.append("ours")
    unasked.append("rust" if config.getoption("--functions") == "python" else "python")

    def is_unasked(item: pytest.Item) -> bool:
        return any(item.get_closest_marker(marker) for marker in unasked)

    config.hook.pytest_deselected(items=[item for item in items if is_unasked(item)])
    items[:] = [item for item in items if not is_unasked(item)]


@pytest.fixture(scope="session")
def farm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Starts servers; at the end every one of them must have ended with exit code 0."""
    only = request.config.getoption("--only")
    programs: dict[Kind, Program] = {}
    if only != "ours":
        programs["python"] = vendors()
    if only != "python":
        programs["ours"] = ours(os.environ[_VARIABLE], request.config.getoption("--functions"))
    with Farm(programs, tmp_path_factory.mktemp("servers")) as farm:
        yield farm


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Starts servers of a service of its own, instead of functions."""
    only, path = request.config.getoption("--only"), os.environ.get(_VARIABLE)
    kinds: list[Kind] = [kind for kind in ("python", "ours") if only in (None, kind)]
    programs = {kind: of_service(kind, path, "compat_service") for kind in kinds}
    with Farm(programs, tmp_path_factory.mktemp("services")) as farm:
        yield farm


@pytest.fixture(scope="session")
def plain(farm: Farm) -> Pair:
    """No TLS, no tokens; nothing expires and no deadline passes during a test run."""
    server = {"task_threads": 16, "task_result_ttl_sec": 300}
    return farm.start(
        "plain", Config(server=server, flexconnect={"call_deadline_ms": 120_000, "polling_interval_ms": 300})
    )


@pytest.fixture(scope="session")
def brisk(farm: Farm) -> Pair:
    """Everything short and scarce: deadline, polling interval, time to live, threads, queue."""
    server = {"task_threads": 2, "task_result_ttl_sec": 1, "task_queue_limit": 2}
    return farm.start(
        "brisk", Config(server=server, flexconnect={"call_deadline_ms": 1_500, "polling_interval_ms": 300})
    )


@pytest.fixture(scope="session")
def talkative(farm: Farm) -> Pair:
    """Told to tell clients all there is to tell, by settings that the original does not have."""
    server = {"reflection": True, "expiration_time": True, "exact_totals": True, "stream_keep_alive_sec": 0.2}
    return farm.start("talkative", Config(server=server))


@pytest.fixture(scope="session")
def guarded(farm: Farm) -> Pair:
    """Two tokens, given by an environment variable; the default header."""
    tokens = {"GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS": '["first", "second"]'}
    return farm.start("tokens", Config(server={"authentication_method": "token"}, env=tokens))


@pytest.fixture(scope="session")
def renamed(farm: Farm) -> Pair:
    """One token with a space in it, given by a file; a header of its own."""
    server = {"authentication_method": "token", "token_header_name": "X-Compat-Token"}
    return farm.start("token-header", Config(server=server, sections={"enumerated_tokens": {"tokens": ["Bearer x"]}}))


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The CA that clients trust and that servers' certificates come from."""
    return Authority("compat test CA")


@pytest.fixture(scope="session")
def stranger() -> Authority:
    """A CA that has nothing to do with the servers."""
    return Authority("some other CA")
