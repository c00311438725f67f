"""The log: which events a call leaves, at which level, with which keys; in the original's words where it has some."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from harness.caller import Caller, command
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until
from pyarrow import flight

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
# What our server says of Python itself: workers that come and go, modules, tracebacks for who wrote the function.
_ABOUT_PYTHON = re.compile(r'"event":"(python_|load_flexconnect_funs|server_health_monitor_started)')
_TAIL = ("logger", "level", "timestamp", "event")


@dataclass(frozen=True, order=True)
class Event:
    """A line of the log, without its values."""

    name: str
    level: str
    keys: tuple[str, ...]

    @classmethod
    def of(cls, line: str) -> "Event":
        """The described line."""
        values = json.loads(line)
        return cls(values["event"], values["level"], tuple(sorted(values.keys() - set(_TAIL))))

    def __add__(self, keys: str) -> "Event":
        """The same event with further keys."""
        return Event(self.name, self.level, tuple(sorted((*self.keys, *keys.split()))))


def _info(name: str, keys: str) -> Event:
    return Event(name, "info", tuple(sorted(keys.split())))


def _warning(name: str, keys: str) -> Event:
    return Event(name, "warning", tuple(sorted(keys.split())))


def _error(name: str, keys: str) -> Event:
    return Event(name, "error", tuple(sorted(keys.split())))


_DURATIONS = "task_id run_waited_duration run_duration duration fun peer"
_CREATED = _info("flexconnect_task_created", "fun task_id peer")
_FINISHED = _info("task_finished", _DURATIONS)
_CANCELLED = _info("task_cancelled", _DURATIONS)
_FAILED = _error("task_failed", _DURATIONS) + "exception"
_CANCEL = _info("flexconnect_task_cancel", "fun task_id peer")
_TIMEOUT = _warning("flexconnect_fun_call_timeout", "task_id fun peer")
# The original tells twice that a task runs, and twice that it failed.
_RUN_TWICE = [_info("task_run", "task_id waited peer"), _info("flexconnect_task_run", "task_id fun peer")]
_RUN = [_info("task_run", "task_id fun waited peer")]
_TOLD_AGAIN = _error("get_flight_info_failed", "task_id fun polling peer exception")
_NO_DATA = "do_get_failed", "peer exception"


@dataclass(frozen=True)
class Case:
    """What is done, and what the log says of it then."""

    title: str
    ask: Callable[[Server], object]
    both: list[Event]
    python: list[Event]
    ours: list[Event]


def _cancel(server: Server) -> None:
    caller = Caller(server).pollable()
    pending = caller.start("Sleeper", key="cancelled", seconds=20)
    caller.info(pending.cancel)
    caller.finish(pending)


def _call(function: str, **parameters: object) -> Callable[[Server], object]:
    return lambda server: Caller(server).call(function, **parameters)


_CASES = [
    Case("a list", lambda server: Caller(server).flights(), [_info("list_flights", "available_funs peer")], [], []),
    Case(
        "a table",
        _call("Table"),
        [_CREATED, _FINISHED, _info("do_get_table", "task_id num_rows peer")],
        _RUN_TWICE,
        _RUN,
    ),
    Case("a stream", _call("Stream"), [_CREATED, _FINISHED, _info("do_get_reader", "task_id peer")], _RUN_TWICE, _RUN),
    Case(
        "a stream that breaks",
        _call("FailingStream", kind="runtime"),
        [_CREATED, _FINISHED, _info("do_get_reader", "task_id peer")],
        _RUN_TWICE,
        [*_RUN, _error(*_NO_DATA) + "task_id"],
    ),
    Case(
        "a failure",
        _call("Fail", kind="value", message="m"),
        [_CREATED],
        [*_RUN_TWICE, _FAILED, _TOLD_AGAIN],
        [*_RUN, _FAILED + "code"],
    ),
    Case(
        "a failure in the words of Flight",
        _call("Fail", kind="unavailable", message="m", code=1500),
        [_CREATED],
        [*_RUN_TWICE, _FAILED + "nested_msg nested_stacktrace nested_code", _TOLD_AGAIN],
        [*_RUN, _FAILED + "code"],
    ),
    Case(
        "a cancelled call",
        _cancel,
        [_CREATED, _CANCEL],
        [*_RUN_TWICE, _CANCELLED, _TOLD_AGAIN],
        [*_RUN, _CANCELLED + "exception"],
    ),
    Case(
        "a call past its deadline",
        _call("Sleeper", key="late", seconds=20),
        [_CREATED],
        [*_RUN_TWICE, _CANCEL, _TIMEOUT + "cancelled", _CANCELLED, _TOLD_AGAIN],
        # It is the server that cancels: there is no peer.
        [*_RUN, _TIMEOUT, _info("flexconnect_task_cancel", "fun task_id"), _CANCELLED + "exception"],
    ),
    Case(
        "what is no command",
        lambda server: Caller(server).info(b"nonsense"),
        [],
        [],
        [_info("flexconnect_fun_submit_failed", "code peer exception")],
    ),
    Case(
        "an unknown function",
        lambda server: Caller(server).info(command("nope")),
        [],
        [_error("flexconnect_fun_submit_failed", "polling peer exception")],
        [_info("flexconnect_fun_submit_failed", "code peer exception")],
    ),
    Case(
        "what is no ticket",
        lambda server: Caller(server).read(b"nonsense"),
        [],
        [_error(*_NO_DATA)],
        [_info(*_NO_DATA) + "code"],
    ),
    Case(
        "a ticket for nothing",
        lambda server: Caller(server).read(b'{"task_id":"0123456789abcdef0123456789abcdef"}'),
        [],
        [_error(*_NO_DATA)] * 2,
        [_info(*_NO_DATA) + "code"],
    ),
]


@pytest.fixture(scope="module")
def logged(farm: Farm) -> Pair:
    """Nobody else calls these servers, so that every line is known."""
    return farm.start("logged", Config(flexconnect={"call_deadline_ms": 1_500, "polling_interval_ms": 300}))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.title)
def test_what_is_logged(logged: Pair, case: Case) -> None:
    def ask(server: Server) -> list[Event]:
        before, expected = len(_lines(server)), _expected(server)
        case.ask(server)
        # Lines are written beside the calls.
        wait_until(f"{len(expected)} lines", lambda: len(_lines(server)) >= before + len(expected), 5)
        return sorted(Event.of(line) for line in _lines(server)[before:])

    def _expected(server: Server) -> list[Event]:
        return sorted(case.both + {"python": case.python, "ours": case.ours}[server.kind])

    for server in logged.servers:
        assert ask(server) == _expected(server), server.kind


def test_the_form_of_a_line(logged: Pair) -> None:
    """Keys of the event, then what every line ends with; a trace of what went wrong comes before the name."""

    def ask(server: Server) -> set:
        Caller(server).call("Fail", kind="value", message="m")
        lines = [json.loads(line) for line in _lines(server)]
        assert all(_TIMESTAMP.fullmatch(line["timestamp"]) for line in lines)
        assert {line["level"] for line in lines} <= {"debug", "info", "warning", "error", "critical"}
        return {tuple(line)[-5 if "exception" in line else -4 :] for line in lines}

    assert logged.agree(ask) == {_TAIL, ("logger", "level", "timestamp", "exception", "event")}


@pytest.mark.ours
def test_a_flood_of_refused_commands_is_counted_and_not_written(farm: Farm) -> None:
    """GD-44: what is refused is told, at most a hundred times a second, and what was not told is counted."""
    pair = farm.start("flood", Config())
    (ours,) = (server for server in pair.servers if server.kind == "ours")
    caller, flood = Caller(ours), 2_000
    with caller.connect() as client, ThreadPoolExecutor(4) as pool:

        def refuse(_: int) -> bool:
            with pytest.raises(flight.FlightServerError):
                client.get_flight_info(flight.FlightDescriptor.for_command(b"nonsense"), caller.options())
            return True

        assert all(pool.map(refuse, range(flood)))

    def told() -> tuple[int, int]:
        events = [json.loads(line) for line in _lines(ours)]
        refused = [event for event in events if event["event"] == "flexconnect_fun_submit_failed"]
        return len(refused), sum(event.get("suppressed", 0) for event in refused)

    def all_told() -> tuple[int, int] | None:
        # One more refusal, in a later second, brings the number of those that were left out.
        caller.info(b"nonsense")
        lines, suppressed = told()
        return (lines, suppressed) if lines + suppressed >= flood else None

    lines, suppressed = wait_until("every refusal in the log", all_told)
    assert suppressed > 0
    assert lines < flood


def test_parameters_are_not_logged(logged: Pair) -> None:
    def ask(server: Server) -> bool:
        Caller(server, ("x-header", "told in confidence")).pairs("Echo", word="told in confidence")
        Caller(server).info(b'{"functionName":"nope","parameters":{"word":"told in confidence"}}')
        return "told in confidence" in server.output

    assert logged.agree(ask) is False


def test_the_name_of_the_event_has_the_key_that_was_asked_for(farm: Farm) -> None:
    pair = farm.start("log-key", Config(server={"log_event_key_name": "what"}))

    def ask(server: Server) -> tuple:
        Caller(server).flights()
        line = wait_until("the line", lambda: next((line for line in _lines(server) if "list_flights" in line), None))
        values = json.loads(line)
        return list(values)[-1], values["what"], "event" in values

    assert pair.agree(ask) == ("what", "list_flights", False)


def test_the_lines_of_a_start(logged: Pair) -> None:
    """What tools look for in the first lines of either."""
    names = {
        *("server_startup", "metrics_started", "health_check_started", "flight_service_start", "rpc_enabled"),
    }

    def ask(server: Server) -> list[Event]:
        events = [Event.of(line) for line in _lines(server)]
        started = {event.name: event for event in events if event.name in names}
        assert started.keys() == names
        return [started[name] for name in ("metrics_started", "health_check_started", "flight_service_start")]

    assert logged.agree(ask) == [
        _info("metrics_started", "host port"),
        _info("health_check_started", "host port"),
        _info("flight_service_start", "listen_url client_url tls"),
    ]


def _lines(server: Server) -> list[str]:
    """The whole lines of the log about calls; what is no event is for people."""
    whole, _, _ = server.output.rpartition("\n")
    return [line for line in whole.split("\n") if line.startswith("{") and not _ABOUT_PYTHON.search(line)]
