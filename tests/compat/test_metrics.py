"""The metrics endpoint, read with the parsers of Prometheus' own Python client."""

from collections.abc import Callable, Iterable

import pytest
from harness.answers import Failure
from harness.caller import Caller
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

Parser = Callable[[str], Iterable[Metric]]

_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def counting(farm: Farm) -> Pair:
    """Nobody else calls these servers, so that every number is known."""
    return farm.start("counting", Config(server={"task_threads": 4}))


def _families(server: Server, parse: Parser, accept: str) -> dict[str, Metric]:
    status, _, text = server.metrics(accept=accept)
    assert status == 200
    return {family.name: family for family in parse(text)}


def _shape(families: dict[str, Metric]) -> dict[str, tuple[str, list[str]]]:
    """Type and names of samples of what both servers have."""
    return {
        name: (family.type, sorted(sample.name for sample in family.samples))
        for name, family in families.items()
        if name.startswith(("gdfs_", "process_"))
    }


@pytest.mark.parametrize(("parse", "accept"), [(parse_plain, "text/plain"), (parse_openmetrics, _OPENMETRICS)])
def test_the_original_finds_its_metrics(counting: Pair, parse: Parser, accept: str) -> None:
    shape = counting.agree(lambda server: _shape(_families(server, parse, accept)))
    assert shape["gdfs_task_wait"][0] == "summary"
    assert shape["gdfs_task_error"] == ("counter", shape["gdfs_task_error"][1])
    assert "gdfs_task_error_total" in shape["gdfs_task_error"][1]


@pytest.mark.parametrize(
    ("path", "accept", "method"),
    [
        ("/metrics", "*/*", "GET"),
        ("/", "text/plain", "GET"),
        ("/whatever", _OPENMETRICS, "GET"),
        ("/favicon.ico", "*/*", "GET"),
        ("/", "*/*", "OPTIONS"),
        ("/", "*/*", "HEAD"),
        ("/", "*/*", "POST"),
    ],
)
def test_answers(counting: Pair, path: str, accept: str, method: str) -> None:
    status = counting.agree(lambda server: server.metrics(path, accept, method)[0])
    assert status == (405 if method in ("HEAD", "POST") else 200)


@pytest.mark.parametrize("accept", ["text/plain", _OPENMETRICS])
def test_content_types(counting: Pair, accept: str) -> None:
    content_type = counting.agree(lambda server: server.metrics(accept=accept)[1].split(";")[0])
    assert content_type == accept.split(";", maxsplit=1)[0]


def test_names_can_be_picked(counting: Pair) -> None:
    query = "/metrics?name[]=gdfs_task_completed_total&name[]=gdfs_task_queue"

    def picked(server: Server) -> list[str]:
        families = parse_plain(server.metrics(query)[2])
        return sorted(sample.name for family in families for sample in family.samples)

    assert counting.agree(picked) == ["gdfs_task_completed_total", "gdfs_task_queue"]


def test_tasks_are_counted(counting: Pair) -> None:
    names = [
        "gdfs_task_completed_total",
        "gdfs_task_error_total",
        "gdfs_task_cancelled_total",
        "gdfs_task_wait_count",
        "gdfs_task_duration_count",
        "gdfs_task_e2e_duration_count",
        "gdfs_task_queue",
        "gdfs_close_queue",
    ]

    def counts(server: Server) -> dict[str, float]:
        families = _families(server, parse_plain, "text/plain").values()
        return {sample.name: sample.value for family in families for sample in family.samples if sample.name in names}

    def grown(server: Server) -> dict[str, float]:
        before, caller = counts(server), Caller(server)
        for _ in range(3):
            assert not isinstance(caller.call("Table"), Failure)
        assert isinstance(caller.call("Fail", kind="runtime"), Failure)
        return {name: value - before[name] for name, value in counts(server).items()}

    assert counting.agree(grown) == {
        "gdfs_task_completed_total": 4,
        "gdfs_task_error_total": 1,
        "gdfs_task_cancelled_total": 0,
        "gdfs_task_wait_count": 4,
        "gdfs_task_duration_count": 4,
        "gdfs_task_e2e_duration_count": 4,
        "gdfs_task_queue": 0,
        "gdfs_close_queue": 0,
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gdfs_task_queue", "Number of tasks waiting in queue."),
        ("gdfs_task_wait", "Time a task spends waiting in queue before it is executed."),
        ("gdfs_task_error", "Number of failed tasks."),
        ("gdfs_task_cancelled", "Number of cancelled tasks."),
    ],
)
def test_help(counting: Pair, name: str, text: str) -> None:
    documentation = counting.agree(lambda server: _families(server, parse_plain, "text/plain")[name].documentation)
    assert documentation == text


def test_cancelled_calls_are_counted_and_those_that_never_ran_do_not_count_as_run(counting: Pair) -> None:
    """Four threads are busy; one more call is cancelled while it waits, and one while it runs."""
    names = ("gdfs_task_completed_total", "gdfs_task_cancelled_total", "gdfs_task_wait_count", "gdfs_task_error_total")

    def ask(server: Server) -> dict[str, float]:
        before, caller = _values(server), Caller(server).pollable()
        busy = [caller.start("Stubborn", key=f"counted-{n}") for n in range(4)]
        waiting = caller.start("Stubborn", key="counted-4")
        for pending in (waiting, busy[3]):
            caller.info(pending.cancel)
        for n in range(4):
            server.release(f"release-counted-{n}")
        for pending in [*busy, waiting]:
            caller.finish(pending)
        completed = "gdfs_task_completed_total"
        wait_until("the end of five calls", lambda: _values(server)[completed] - before[completed] >= 5)
        return {name: _values(server)[name] - before[name] for name in names}

    assert counting.agree(ask) == {
        "gdfs_task_completed_total": 5,
        "gdfs_task_cancelled_total": 2,
        "gdfs_task_wait_count": 4,
        "gdfs_task_error_total": 0,
    }


def test_the_queue_is_who_waits(counting: Pair) -> None:
    """GD-41: to the original, calls that run are in the queue too."""

    def ask(server: Server) -> float:
        caller = Caller(server).pollable()
        tasks = [caller.start("Stubborn", key=f"queued-{n}") for n in range(5)]
        queue = _values(server)["gdfs_task_queue"]
        for n in range(5):
            server.release(f"release-queued-{n}")
        for pending in tasks:
            caller.finish(pending)
        return queue

    for kind, queue in counting.ask(ask).items():
        assert queue == {"python": 5, "ours": 1}[kind]


@pytest.mark.ours
@pytest.mark.parametrize(("parse", "accept"), [(parse_plain, "text/plain"), (parse_openmetrics, _OPENMETRICS)])
def test_what_ours_counts_beside_that(counting: Pair, parse: Parser, accept: str) -> None:
    """Everything is of use to Prometheus: it has a unit or counts, it has a help text, and no name comes twice."""
    for server in counting.servers:
        if server.kind == "python":
            continue
        assert isinstance(Caller(server).call("Fail", kind="value", message="m"), Failure)
        assert Caller(server).call("Stream", batches=[2, 3]).table.num_rows == 5
        families = _families(server, parse, accept)
        own = {name: family for name, family in families.items() if name.startswith("flexconnect_")}
        assert len(own) > 20
        assert all(family.documentation and family.type != "unknown" for family in own.values())
        samples = [
            (sample.name, *sorted(sample.labels.items())) for family in own.values() for sample in family.samples
        ]
        assert len(samples) == len(set(samples))
        assert not any("key" in name or "token" in value for _, *labels in samples for name, value in labels)


def _values(server: Server) -> dict[str, float]:
    families = _families(server, parse_plain, "text/plain").values()
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}
