"""The health endpoints, and what happens before a server is ready."""

import pytest
from harness import wire
from harness.answers import failed
from harness.caller import Caller, command
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until

_NOT_READY = failed("Try again later.", 197_109, "FlightUnavailableError")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/live", 204),
        ("/ready", 204),
        ("/", 404),
        ("/health", 404),
        ("/ready/", 404),
        ("/LIVE", 404),
        ("/ready?x=1", 404),
    ],
)
def test_paths(plain: Pair, path: str, status: int) -> None:
    assert plain.agree(lambda server: server.health(path)) == status


@pytest.mark.parametrize(("method", "ours"), [("HEAD", 204), ("POST", 405), ("PUT", 405), ("DELETE", 405)])
def test_methods_other_than_get(plain: Pair, method: str, ours: int) -> None:
    """The original knows GET alone and calls all others not implemented; ours answers as HTTP asks for."""
    for kind, status in plain.ask(lambda server: server.health("/ready", method)).items():
        assert status == {"python": 501, "ours": ours}[kind]


def test_a_loading_server_is_alive_and_not_ready(farm: Farm) -> None:
    guarded = {"authentication_method": "token", "listen_host": "127.0.0.1"}
    sections = {"compat": {"late": True}, "enumerated_tokens": {"tokens": ["secret"]}}
    pair = farm.launch("loading", Config(server=guarded, sections=sections))

    def watch(server: Server) -> tuple:
        server.await_health()
        wait_until("the Flight port", lambda: wire.call(server, "ListFlights").trailers)
        before = server.health("/live"), server.health("/ready")
        caller = Caller(server)
        refused = [caller.info(command("Table")), caller.flights(), caller.info(b"nonsense")]
        wired = {method: wire.call(server, method).status for method in wire.METHODS}
        server.release("open")
        server.await_ready()
        after = server.health("/live"), server.health("/ready")
        good = Caller(server, ("authorization", "Bearer secret")).call("LateLoader").rows
        return before, refused, wired, after, good

    before, refused, wired, after, good = pair.agree(watch)
    assert (before, after) == ((204, 500), (204, 204))
    assert refused == [_NOT_READY] * 3
    assert wired == dict.fromkeys(wire.METHODS, "UNAVAILABLE")
    assert good == [("loaded",)]


def test_a_function_that_does_not_load_stops_the_start(farm: Farm) -> None:
    for end in farm.run("broken", Config(sections={"compat": {"broken": True}})).values():
        assert end.code == 1
        assert "the function does not want to load" in end.output
