"""Where our server is better than the original on purpose: the answer of each, side by side.

A fault of the original has a number, GD-n, that code and documentation share. Everything else is meant to be alike.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import protobuf, standard, wire
from harness.answers import Failure, FlightAnswer, Rows
from harness.caller import POLL_CODE, Caller, Pending, command
from harness.config import Config
from harness.server import Server
from harness.waiting import wait_until

# Error classes and codes that appear again and again.
_SERVER, _BAD, _FAILED, _CANCELLED = "FlightServerError", 1, 5, 6


@dataclass(frozen=True)
class Difference:
    """One question and both answers."""

    fault: int
    title: str
    ask: Callable[[Server], object]
    python: object
    ours: object
    on: str = "plain"
    """The fixture with the servers to ask."""


@dataclass(frozen=True)
class Start:
    """One configuration, and for each server: a text of the message it refuses with, or nothing when it starts."""

    fault: int
    title: str
    config: Config
    python: str | None
    ours: str | None
    ask: Callable[[Server], object] | None = None
    """A question to servers that start."""
    answers: dict[str, object] = field(default_factory=dict)


def _face(answer: FlightAnswer | Rows | Failure | Pending) -> tuple[str, int | None, bool]:
    """What a client can act on, and whether it is shown the inside of the server."""
    if isinstance(answer, Pending):
        answer = answer.failure
    if isinstance(answer, Rows):
        answer = answer.failure
    if not isinstance(answer, Failure):
        return "none", None, False
    detail = (answer.info and answer.info.detail) or ""
    return answer.error, answer.code, "Traceback" in answer.text + detail


def _info(text: bytes) -> Callable[[Server], object]:
    return lambda server: _face(Caller(server).info(text))


def _read(ticket: bytes) -> Callable[[Server], object]:
    return lambda server: _face(Caller(server).read(ticket))


def _call(function: str, **parameters: object) -> Callable[[Server], object]:
    return lambda server: _face(Caller(server).call(function, **parameters))


def _garbled(method: str) -> Callable[[Server], object]:
    return lambda server: standard.refusal(wire.call(server, method, b"\xff\xff\xff"))


def _leaks_traceback(method: str, request: bytes) -> Callable[[Server], object]:
    def ask(server: Server) -> bool:
        answer = wire.call(server, method, request)
        return any(b"Traceback" in value for value in (answer.message.encode(), *answer.trailers.values()))

    return ask


def _rudely_cancelled(server: Server) -> object:
    caller = Caller(server).pollable()
    pending = caller.start("Sleeper", key="rude", seconds=20, rude=True)
    caller.info(pending.cancel)
    return _face(caller.finish(pending))


def _left_alone(server: Server) -> object:
    Caller(server, timeout=0.7).info(command("Sleeper", key="left-alone", seconds=2.5))
    return _end_of(server, "left-alone")


def _never_polled(server: Server) -> object:
    Caller(server).pollable().start("Sleeper", key="never-polled", seconds=4)
    return _end_of(server, "never-polled")


def _end_of(server: Server, key: str) -> str:
    ends = {"cancelled", "finished"}
    return wait_until(f"the end of {key}", lambda: next((e for e in server.events(key) if e in ends), None))


def _crowded(server: Server) -> object:
    """The answer to a call when two threads are busy and two more calls wait."""
    caller = Caller(server).pollable()
    tasks = [caller.start("Sleeper", key=f"crowd-{n}", seconds=20) for n in range(4)]
    answer = caller.info(command("Sleeper", key="crowd-4", seconds=20))
    for task in [*tasks, *([answer] if isinstance(answer, Pending) else [])]:
        caller.info(task.cancel)
    for task in tasks:
        caller.finish(task)
    return _face(answer)


def _health_beside_idle_connection(server: Server) -> object:
    with socket.create_connection(("127.0.0.1", server.health_port)):
        try:
            return server.health("/live", timeout=2)
        except TimeoutError:
            return "blocked"


def _sees_token(server: Server) -> object:
    headers = Caller(server, ("authorization", "Bearer secret"), ("x-kept", "1")).pairs("Echo")["headers"]
    return "authorization" in headers, headers["x-kept"]


def _code_with_a_huge_body(server: Server) -> object:
    call = command("Fail", kind="unavailable", message="m", body="b", body_repeat=20_000, code=1500)
    return Caller(server).info(call).code


def _task_threads(server: Server) -> object:
    return Caller(server).pairs("Settings", keys=["server.task_threads"])["server.task_threads"]


_CONTEXT = {"executionType": "REPORT", "organizationId": "o", "workspaceId": "w"}

ANSWERS = [
    *(
        Difference(
            1,
            f"a command of the wrong shape: {text}",
            _info(text.encode()),
            (_SERVER, None, True),
            (_SERVER, _BAD, False),
        )
        for text in (
            "[]",
            "5",
            '"Table"',
            '{"functionName":5}',
            '{"functionName":true}',
            '{"functionName":"Table","parameters":[1]}',
            '{"functionName":"Table","parameters":"text"}',
            '{"functionName":"Table","parameters":7}',
        )
    ),
    *(
        Difference(
            1,
            f"a ticket of the wrong shape: {text}",
            _read(text.encode()),
            (_SERVER, None, True),
            (_SERVER, _BAD, False),
        )
        for text in ("[]", "5", '"text"', '{"task_id":5}', '{"task_id":true}')
    ),
    *(
        Difference(
            1, f"bytes that are no request of {method}", _garbled(method), ("INTERNAL", None), ("INTERNAL", _BAD)
        )
        for method in ("ListFlights", "GetFlightInfo", "DoGet")
    ),
    *(
        Difference(
            2, f"the inside of the server shows in {method}", _leaks_traceback(method, request), python=True, ours=False
        )
        for method, request in (
            ("DoAction", protobuf.text(1, b"anything")),
            ("ListActions", b""),
            ("GetSchema", wire.descriptor(command("Table"))),
        )
    ),
    *(
        Difference(
            2,
            f"the inside of the server shows for an id that is no text: {text!r}",
            lambda server, text=text: _face(Caller(server).pollable().info(text)),
            ("ArrowInvalid", None, True),
            ("ArrowInvalid", None, False),
        )
        for text in (b"c:\xff", b"r:\xff\xfe")
    ),
    Difference(
        2,
        "the inside of a function shows in its errors",
        _call("Fail", kind="runtime"),
        (_SERVER, _FAILED, True),
        (_SERVER, _FAILED, False),
    ),
    Difference(
        3,
        "a bad value in a stream",
        _call("FailingStream", kind="value"),
        ("ArrowInvalid", None, True),
        (_SERVER, _BAD, False),
    ),
    Difference(
        3,
        "any other error in a stream",
        _call("FailingStream", kind="runtime"),
        (_SERVER, None, True),
        (_SERVER, _FAILED, False),
    ),
    Difference(
        3,
        "a bug in a stream",
        _call("FailingStream", kind="panic"),
        (_SERVER, None, True),
        (_SERVER, _FAILED, False),
    ),
    Difference(
        3,
        "a Flight error in a stream",
        _call("FailingStream", kind="flight"),
        (_SERVER, None, True),
        ("FlightUnavailableError", 1500, False),
    ),
    Difference(6, "a body of 20 kB", _code_with_a_huge_body, None, 1500),
    Difference(
        7,
        "a cancelled call that fails in its own way",
        _rudely_cancelled,
        (_SERVER, _FAILED, True),
        (_SERVER, _CANCELLED, False),
    ),
    Difference(
        8,
        "an incomplete execution context",
        _call("Context", executionContext=_CONTEXT),
        (_SERVER, _FAILED, True),
        (_SERVER, _BAD, False),
    ),
    Difference(
        11,
        "a function that ends its thread",
        lambda server: _face(Caller(server).pollable().info(command("Exit"))),
        ("FlightTimedOutError", POLL_CODE, False),
        (_SERVER, _FAILED, False),
    ),
    Difference(12, "a client that goes away", _left_alone, "finished", "cancelled"),
    Difference(
        13,
        "more calls than may wait",
        _crowded,
        ("FlightTimedOutError", POLL_CODE, False),
        ("FlightUnavailableError", 196_710, False),
        "brisk",
    ),
    Difference(15, "a call that nobody asks for again", _never_polled, "finished", "cancelled", "brisk"),
    Difference(21, "an idle connection to the health port", _health_beside_idle_connection, "blocked", 204),
    Difference(33, "the caller's token among the headers", _sees_token, (True, ["1"]), (False, ["1"])),
    Difference(47, "chunks without rows", lambda server: Caller(server).call("EmptyChunks").lengths, (1, 0, 2), (1, 2)),
]

STARTS = [
    Start(
        29,
        "mutual TLS without TLS",
        Config(server={"use_mtls": True, "tls_root_certificate": "x"}),
        None,
        "use_mtls",
    ),
    Start(
        30,
        "a string for the list of tokens",
        Config(server={"authentication_method": "token"}, sections={"enumerated_tokens": {"tokens": "abc"}}),
        None,
        "tokens",
    ),
    Start(
        31,
        "a word that means no",
        Config(env={"GOODDATA_FLIGHT_SERVER__USE_TLS": "off"}),
        "tls_certificate",
        None,
    ),
    Start(
        35,
        "a section in two files",
        Config(sections={"twice": {"first": 1}}, files={"later.toml": "[twice]\nsecond = 2\n"}),
        None,
        None,
        lambda server: Caller(server).pairs("Settings", keys=["twice.first", "twice.second"]),
        {
            "python": {"twice.first": None, "twice.second": 2},
            "ours": {"twice.first": 1, "twice.second": 2},
        },
    ),
    Start(
        36,
        "a variable of some other program",
        Config(server={"task_threads": 7}, env={"DYNACONF_SERVER__TASK_THREADS": "3"}),
        None,
        None,
        _task_threads,
        {"python": 3, "ours": 7},
    ),
    Start(38, "a port that does not exist", Config(server={"health_check_port": 70_000}), "port", "health_check_port"),
    Start(38, "half a thread", Config(server={"task_threads": 1.5}), None, "task_threads"),
]
