"""SIGTERM: what becomes of calls, results and probes. The original drops more than it must (GD-24, GD-25)."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from harness.answers import Failure, FlightAnswer, failed
from harness.caller import Caller, Pending, command
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until

_SHUTTING_DOWN = failed("Server is shutting down.", 131_574, "FlightUnavailableError")
# The lame-duck phase ends after two seconds whoever still calls; results then have all the time they need.
_CONFIG = Config(server={"lame_duck_sec": 2, "propagation_delay_sec": 1, "drain_timeout_sec": 60})


@dataclass(frozen=True)
class Drained:
    """What clients saw of a server that was told to end while it had work."""

    ready: int | None
    running: FlightAnswer | Failure
    polled: FlightAnswer | Failure
    exit: int


def _start(farm: Farm, name: str) -> Pair:
    return farm.start(name, _CONFIG)


def test_calls_under_way_are_answered(farm: Farm) -> None:
    """Both servers finish what runs; only ours says meanwhile that it is not ready for more."""
    pair = _start(farm, "drain-running")

    def end(server: Server) -> Drained:
        with ThreadPoolExecutor(1) as pool:
            running = _begin(pool, server, "under-way")
            server.terminate()
            ready = _ready_while_ending(server)
            server.release("release-under-way")
            answer = running.result()
        return Drained(ready, answer, answer, server.process.wait(60))

    ends = pair.ask(end)
    farm.forget(pair)
    for kind, seen in ends.items():
        assert isinstance(seen.running, FlightAnswer), kind
        assert seen.exit == 0, kind
        assert seen.ready == {"python": 204, "ours": 500}[kind], kind


def _begin(pool: ThreadPoolExecutor, server: Server, key: str) -> "Future[FlightAnswer | Failure]":
    """A GetFlightInfo that is on its way until the test releases its function."""
    running = pool.submit(Caller(server).info, command("Stubborn", key=key))
    server.await_event(key, "started")
    return running


def _ready_while_ending(server: Server) -> int | None:
    """The status of `/ready` once the server has noticed the signal."""
    noticed = "server_shutdown_initiated" if server.kind == "python" else None
    if noticed:
        wait_until("the signal", lambda: noticed in server.output)
        return server.health("/ready")
    return wait_until("another status of /ready", lambda: _unless(204, server.health("/ready")))


def _unless(unwanted: int, status: int | None) -> int | None:
    return None if status == unwanted else status


@pytest.fixture
def alone(request: pytest.FixtureRequest, farm: Farm) -> Server:
    """Our server by itself, for what the original cannot do at all."""
    if request.config.getoption("--only") == "python":
        pytest.skip("the original has no such phase; the run asks for it alone")
    pair = _start(farm, f"drain {request.node.name}")
    request.addfinalizer(lambda: farm.forget(pair))
    return next(server for server in pair.servers if server.kind == "ours")
