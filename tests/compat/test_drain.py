"""SIGTERM: what becomes of calls, results and probes.

The original closes its port at once: probes stay green (GD-24), results that nobody has fetched yet are lost and no
client learns why (GD-25). Ours goes on serving until its callers have been told, and keeps what they have not read.
"""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from harness.answers import Failure, FlightAnswer, Rows
from harness.caller import Caller, command
from harness.config import Config
from harness.farm import Farm
from harness.server import Server
from harness.waiting import wait_until
from pyarrow import flight

_GONE = "FlightUnavailableError"
# Ours serves on for at most two seconds, then waits for as long as a result may live.
_CONFIG = Config(server={"lame_duck_sec": 2, "propagation_delay_sec": 1, "drain_timeout_sec": 60})


@dataclass(frozen=True)
class Drained:
    """What the clients of a server saw after it was told to end."""

    ready: int | None
    """The status of `/ready`."""
    new_call: str
    """A call that came right after the signal."""
    later_code: int | None
    """The code that calls are refused with, once they are."""
    running: str
    """The call that was under way."""
    polled: str
    """The call whose client asked again."""
    unread: str
    """A result that was there before the signal."""
    fresh: str
    """The result of the call that was under way."""
    exit: int


_EXPECTED = {
    "python": Drained(204, _GONE, None, "answered", _GONE, _GONE, _GONE, 0),
    "ours": Drained(500, "answered", 131_574, "answered", "answered", "answered", "answered", 0),
}


def test_a_drain(farm: Farm) -> None:
    pair = farm.start("drain", _CONFIG)
    for kind, seen in pair.ask(_drain).items():
        assert seen == _EXPECTED[kind], kind
    farm.forget(pair)


def test_a_second_signal(farm: Farm) -> None:
    """The original only logs it again; ours ends without waiting any longer."""
    pair = farm.start("second signal", _CONFIG)

    def end(server: Server) -> list[str]:
        with ThreadPoolExecutor(1) as pool:
            running = _begin(pool, server, "twice")
            server.terminate()
            _await_end_of_service(server)
            server.terminate()
            if server.kind == "python":
                server.release("release-twice")
            server.await_exit()
            running.result()
        return server.events("twice")

    events = pair.ask(end)
    farm.forget(pair)
    for kind, seen in events.items():
        # The function may still be told that its client is gone before the process is.
        assert [event for event in seen if event != "hook"] == {"python": ["started", "finished"], "ours": ["started"]}[
            kind
        ]


@pytest.mark.ours
def test_a_signal_under_load_is_not_missed(farm: Farm) -> None:
    """GD-50: the original was once seen to go on as if nothing had happened."""
    pair = farm.start("signal under load", Config(server={"lame_duck_sec": 0.1, "propagation_delay_sec": 0.1}))
    (ours,) = (server for server in pair.servers if server.kind == "ours")
    with ThreadPoolExecutor(16) as pool:
        callers = [pool.submit(_call_until_refused, ours) for _ in range(16)]
        wait_until("calls of everybody", lambda: ours.output.count('"do_get_table"') > 200)
        ours.terminate()
        refused = [caller.result() for caller in callers]
    assert ours.await_exit().code == 0
    assert set(refused) == {_GONE}


def _call_until_refused(server: Server) -> str:
    """The class of the first failure."""
    while not isinstance(answer := Caller(server).call("Table"), Failure):
        pass
    return answer.error


def _drain(server: Server) -> Drained:
    caller = Caller(server)
    unread = caller.submit(command("Table"))
    pending = caller.pollable().start("Stubborn", key="polled")
    with ThreadPoolExecutor(1) as pool:
        running = _begin(pool, server, "running")
        server.terminate()
        ready = _await_end_of_service(server)
        new_call = caller.call("Table")
        refused = wait_until("the end of new calls", lambda: _failure(caller.call("Table")))
        server.release("release-polled")
        polled = caller.pollable().finish(pending)
        server.release("release-running")
        answer = running.result()
    caller.read(_ticket(pending.task_id))
    fresh = answer if isinstance(answer, Failure) else caller.read(answer)
    return Drained(
        ready,
        _face(new_call),
        refused.code,
        _face(answer),
        _face(polled),
        _face(caller.read(unread)),
        _face(fresh),
        server.await_exit().code,
    )


def _begin(pool: ThreadPoolExecutor, server: Server, key: str) -> "Future[bytes | Failure]":
    """A GetFlightInfo that is on its way until the test releases its function."""
    running = pool.submit(_submit, server, command("Stubborn", key=key))
    server.await_events(key, "started")
    return running


def _submit(server: Server, call: bytes) -> bytes | Failure:
    """The ticket of the result, or why there is none."""
    try:
        return Caller(server).submit(call)
    except flight.FlightError as error:
        return Failure.of(error)


def _await_end_of_service(server: Server) -> int | None:
    """The status of `/ready` once the server has noticed the signal: ours says so, the original stops listening."""
    if server.kind == "ours":
        return wait_until("another status of /ready", lambda: _unless(204, server.health("/ready")))
    wait_until("the end of new calls", lambda: _failure(Caller(server).call("Table")))
    return server.health("/ready")


def _unless(unwanted: int, status: int | None) -> int | None:
    return None if status == unwanted else status


def _failure(answer: object) -> Failure | None:
    return answer if isinstance(answer, Failure) else None


def _face(answer: bytes | FlightAnswer | Rows | Failure) -> str:
    return answer.error if isinstance(answer, Failure) else "answered"


def _ticket(task: str) -> bytes:
    return json.dumps({"task_id": task}).encode()
