"""Traces: both servers export to one collector, by each of the two ways of OTLP; every span of a call is compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from harness.answers import mask
from harness.caller import Caller, command
from harness.collector import Attributes, Collector, Span
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until

_CALLER = "0123456789abcdef"
_NUMBERS = count(1)
_TASK_ID, _ERROR, _CANCELLED = (
    f"gooddata_flight_server.{name}" for name in ("task_id", "task_error", "task_cancelled")
)
# What only ours says: the keys of its log lines are attributes of the span too.
_OURS_ALONE = {"peer", "fun", "task_id"}
# What only the original can say: Rust's errors have no class, and where in the program they were made is no use to
# others (GD-2).
_ORIGINAL_ALONE = {"exception.type", "exception.stacktrace", "exception.escaped"}


@dataclass(frozen=True)
class Node:
    """A span, seen from its trace: under whom it is, and what it says."""

    name: str
    under: str
    status: str = "ok"
    kind: str = "internal"
    attributes: tuple[tuple[str, str], ...] = ()
    events: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()

    @classmethod
    def of(cls, span: Span, names: dict[str, str]) -> "Node":
        """The described span; `names` are those of all spans by id."""
        events = tuple((event.name, _plain(event.attributes)) for event in span.events)
        under = names.get(span.parent, span.parent or "nobody")
        return cls(span.name, under, span.status, span.kind, _plain(span.attributes), events)


def _plain(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    shared = attributes.keys() - _OURS_ALONE - _ORIGINAL_ALONE
    return tuple((key, _text(key, attributes[key])) for key in sorted(shared))


def _text(key: str, value: object) -> str:
    # Where a function failed is in the detail of its error: GD-2.
    if key == f"{_ERROR}.detail" and "Traceback" in str(value):
        return ""
    return mask(str(value))


def _rpc(method: str, status: str = "ok", message: str | None = None) -> Node:
    """The span of a call, which failed with a message, or did not."""
    attributes = (("rpc.method", method), ("rpc.service", "FlightRPC"), ("rpc.system", "grpc"))
    events = () if message is None else (("exception", (("exception.message", message),)),)
    return Node(method, "the caller", status, "server", attributes, events)


def _task(status: str, *events: tuple, run: tuple | None = None) -> list[Node]:
    """The spans of a task that ended with this status, and of its run, which may have failed."""
    task = ((_TASK_ID, "<task>"),)
    failed = () if run is None else (run,)
    return [
        Node("task_execution", "GET_FLIGHT_INFO", status, attributes=task, events=tuple(events)),
        Node("task_run", "task_execution", "error" if failed else "unset", attributes=task, events=failed),
        Node("task_run_submit", "task_execution", "unset"),
    ]


def _exception(message: str) -> tuple:
    return "exception", (("exception.message", message),)


def _task_error(code: str, msg: str, detail: str = "") -> tuple:
    return _ERROR, ((f"{_ERROR}.code", code), (f"{_ERROR}.detail", detail), (f"{_ERROR}.msg", msg))


def _failed_task(message: str, code: str, msg: str, detail: str = "") -> list[Node]:
    return _task("error", _task_error(code, msg, detail), run=_exception(message))


@dataclass(frozen=True)
class Case:
    """What is done, and the spans that it leaves: with both, with the original alone, with ours alone."""

    title: str
    ask: Callable[[Caller], object]
    both: list[Node]
    python: tuple[Node, ...] = ()
    ours: tuple[Node, ...] = ()


def _call(function: str, **parameters: object) -> Callable[[Caller], object]:
    return lambda caller: caller.call(function, **parameters)


def _poll(caller: Caller) -> None:
    polling = caller.pollable()
    # Asked once more only when it is over.
    pending = polling.start("Sleeper", key="traced", seconds=0.5)
    polling.finish(pending)


def _cancel(caller: Caller) -> None:
    polling = caller.pollable()
    pending = polling.start("Sleeper", key="traced", seconds=20)
    polling.info(pending.cancel)
    polling.finish(pending)


_INFO = _rpc("GET_FLIGHT_INFO")
_NO_JSON = "Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON."
_NO_FUNCTION = "Unsupported FlexConnect function 'nope'."
_NO_TICKET = "Incorrect ticket payload. The ticket payload is not a valid JSON."
_WAS_CANCELLED = "FlexConnect function invocation was cancelled. Invocation task was: '<task>'."
_BROKEN = "There was an error while running task: the call failed"

_CASES = [
    Case("a list", lambda caller: caller.flights(), [_rpc("LIST_FLIGHTS")]),
    Case("a table", _call("Table"), [_INFO, *_task("ok"), _rpc("DO_GET")]),
    Case(
        "a bad value",
        _call("Fail", kind="value", message="100 % ů."),
        [
            _rpc("GET_FLIGHT_INFO", "error", "100 % ů."),
            *_failed_task("100 % ů.", "bad_argument (1)", "100 % ů."),
        ],
    ),
    Case(
        "an error",
        _call("Fail", kind="runtime"),
        [
            _rpc("GET_FLIGHT_INFO", "error", _BROKEN),
            *_failed_task("the call failed", "command_failed (5)", _BROKEN),
        ],
    ),
    Case(
        "an error in the words of Flight",
        _call("Fail", kind="unavailable", message="m", detail="d", code=1500),
        [_rpc("GET_FLIGHT_INFO", "error", "m"), *_failed_task("m", "custom (1500)", "m", "d")],
    ),
    Case(
        "what is no command",
        lambda caller: caller.info(b"nonsense"),
        [_rpc("GET_FLIGHT_INFO", "error", _NO_JSON)],
    ),
    Case(
        "an unknown function",
        lambda caller: caller.info(command("nope")),
        [_rpc("GET_FLIGHT_INFO", "error", _NO_FUNCTION)],
    ),
    Case("what is no ticket", lambda caller: caller.read(b"?"), [_rpc("DO_GET", "error", _NO_TICKET)]),
    Case(
        "a stream that breaks",
        _call("FailingStream", kind="value"),
        [_INFO, *_task("ok"), _rpc("DO_GET", "error", "the stream met a bad value")],
    ),
    Case(
        # GD-43: to be told to come again is no error.
        "a call that is asked for again",
        _poll,
        [*_task("ok"), _INFO],
        python=(_rpc("GET_FLIGHT_INFO", "error", "Work in progress. Retry."),),
        ours=(_INFO,),
    ),
    Case(
        # GD-43: to be told that it is cancelled is none either, where that was asked for.
        "a call that is cancelled",
        _cancel,
        [_rpc("GET_FLIGHT_INFO", "error", _WAS_CANCELLED)],
        python=(
            *_task("ok", (_CANCELLED, ()), run=_exception("")),
            _rpc("GET_FLIGHT_INFO", "error", "Work in progress. Retry."),
            _rpc("GET_FLIGHT_INFO", "error", "FlexConnect function invocation was cancelled."),
        ),
        ours=(*_task("ok", (_CANCELLED, ()), run=_exception("the call was cancelled")), _INFO, _INFO),
    ),
]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """What both servers export to."""
    with Collector() as collector:
        yield collector


def _traced(farm: Farm, name: str, exporter: str, endpoint: str, *, extract: bool = True) -> Pair:
    server = {
        "otel_exporter_type": exporter,
        "otel_service_name": "compat",
        "otel_service_namespace": "there",
        "otel_service_instance_id": "here",
        "otel_extract_context": extract,
    }
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test,service.name=overruled",
    }
    return farm.start(name, Config(server=server, flexconnect={"polling_interval_ms": 300}, env=env))


@pytest.fixture(scope="module", params=["otlp-grpc", "otlp-http"])
def traced(request: pytest.FixtureRequest, farm: Farm, collector: Collector) -> Pair:
    """Callers' traces go on in these servers."""
    endpoint = collector.grpc if request.param == "otlp-grpc" else collector.http
    return _traced(farm, request.param, request.param, endpoint)


@pytest.fixture(scope="module")
def secluded(farm: Farm, collector: Collector) -> Pair:
    """These servers begin traces of their own."""
    return _traced(farm, "secluded", "otlp-grpc", collector.grpc, extract=False)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.title)
def test_spans(traced: Pair, collector: Collector, case: Case) -> None:
    trace = f"{next(_NUMBERS):032x}"

    def ask(server: Server) -> set[Node]:
        case.ask(Caller(server, ("traceparent", f"00-{trace}-{_CALLER}-01")))
        expected = len(case.both) + len({"python": case.python, "ours": case.ours}[server.kind])
        spans = wait_until(f"{expected} spans", lambda: _of_trace(server, trace, expected))
        assert {span.scope for span in spans} == {"gooddata_flight_server"}
        names = {span.id: span.name for span in spans} | {_CALLER: "the caller"}
        # Sets, since a caller that polls may do it once more than another.
        return {Node.of(span, names) for span in spans}

    def _of_trace(server: Server, trace: str, least: int) -> list[Span] | None:
        spans = [span for span in collector.spans(server.process.pid) if span.trace == trace]
        return spans if len(spans) >= least else None

    for kind, nodes in traced.ask(ask).items():
        assert nodes == {*case.both, *{"python": case.python, "ours": case.ours}[kind]}, kind


def test_where_spans_come_from(traced: Pair, collector: Collector) -> None:
    """What names the service is alike; what names the program is its own, under the same keys."""

    def ask(server: Server) -> tuple[dict[str, object], set[str]]:
        spans = wait_until("the first span", lambda: collector.spans(server.process.pid))
        resource = spans[0].resource
        alike = ("service.name", "service.namespace", "service.instance.id", "deployment.environment", "os.type")
        return {key: resource[key] for key in (*alike, "os.version", "process.parent_pid")}, resource.keys()

    told, keys = traced.agree(ask)
    assert list(told.values())[:4] == ["compat", "there", "here", "test"]
    assert {"service.version", "process.runtime.name", "telemetry.sdk.language"} <= keys


def test_the_start_is_a_trace_of_its_own(traced: Pair, collector: Collector) -> None:
    def ask(server: Server) -> Node:
        def probe() -> Span | None:
            return next((span for span in collector.spans(server.process.pid) if span.name == "server_start"), None)

        return Node.of(wait_until("the span of the start", probe), {})

    assert traced.agree(ask) == Node("server_start", "nobody", "unset")


def test_a_caller_is_not_followed_unless_that_is_wanted(secluded: Pair, collector: Collector) -> None:
    trace = f"{next(_NUMBERS):032x}"

    def ask(server: Server) -> tuple[bool, str]:
        Caller(server, ("traceparent", f"00-{trace}-{_CALLER}-01")).flights()

        def probe() -> Span | None:
            return next((span for span in collector.spans(server.process.pid) if span.name == "LIST_FLIGHTS"), None)

        span = wait_until("the span of the list", probe)
        return span.trace == trace, span.parent

    assert secluded.agree(ask) == (False, "")
