"""Where our server is better than the original on purpose: the answer of each, side by side.

A fault of the original has a number, GD-n, that code and documentation share. Everything else is meant to be alike.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.answers import Failure, FlightAnswer, Rows
from harness.caller import POLL_CODE, Caller, Pending, command
from harness.config import Config
from harness.server import Server
from harness.waiting import wait_until
from matrix.axes import Case
from matrix.deviation import Deviation

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
    hosted: object = None
    """What ours answers with functions in Python, where the vendor's library has a say in that."""


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


def _call(function: str, **parameters: object) -> Callable[[Server], object]:
    return lambda server: _face(Caller(server).call(function, **parameters))


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
        hosted=(_SERVER, _FAILED, False),
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


def _about(*topics: str) -> Callable[[Case], bool]:
    return lambda case: case.question.about in topics


_ERROR = frozenset({"message", "info", "trailers"})
_STATUS_AND_ERROR = _ERROR | {"status"}

DEVIATIONS = [
    Deviation(
        1,
        "commands and tickets of the wrong shape",
        lambda case: case.question.about == "wrong shape" and case.question.rpc in ("GetFlightInfo", "DoGet"),
        _ERROR,
        ("UNKNOWN", None),
        inside=True,
    ),
    Deviation(1, "bytes that are no message", _about("garbled"), _ERROR, ("INTERNAL", None)),
    Deviation(2, "an id that is no text", _about("no text"), _ERROR, inside=True),
    Deviation(
        2,
        "an error of a function",
        lambda case: case.question.about == "detail" and case.question.rpc == "GetFlightInfo",
        frozenset({"info"}),
        inside=True,
    ),
    Deviation(
        2,
        "a bug in a function: what it says of itself is for the log",
        lambda case: case.question.about == "bug" and case.question.rpc == "GetFlightInfo",
        _ERROR,
        inside=True,
    ),
    Deviation(
        2,
        "methods and actions that are not there",
        lambda case: (
            case.question.rpc in ("DoAction", "DoPut", "DoExchange")
            and case.question.about == ""
            and not case.question.title.startswith(("Cancel", "Renew"))
        ),
        _ERROR,
        inside=True,
    ),
    Deviation(
        3,
        "a bad value in a stream",
        _about("broken stream: value"),
        _STATUS_AND_ERROR,
        ("INVALID_ARGUMENT", None),
        inside=True,
    ),
    Deviation(
        3,
        "an error in a stream",
        _about("broken stream: runtime", "broken stream: panic", "broken stream: flight"),
        _STATUS_AND_ERROR,
        ("UNKNOWN", None),
        inside=True,
    ),
    Deviation(
        47,
        "chunks without rows",
        lambda case: case.question.rpc == "DoGet" and case.question.about == "a table with empty chunks",
        frozenset({"answer"}),
    ),
    Deviation(
        None,
        "an upload is refused before its first message is looked at",
        _about("no upload"),
        _STATUS_AND_ERROR,
        ("UNKNOWN", None),
    ),
]
