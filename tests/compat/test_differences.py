"""Each difference that is meant to be there, and that it is no other."""

import pytest
from additions import ADDITIONS, Addition
from differences import ANSWERS, STARTS, Difference, Start
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Kind, Server


@pytest.mark.parametrize("difference", ANSWERS, ids=lambda each: f"GD-{each.fault}: {each.title}")
def test_answers(request: pytest.FixtureRequest, difference: Difference) -> None:
    pair: Pair = request.getfixturevalue(difference.on)
    hosted = difference.hosted if request.config.getoption("--functions") == "python" else None
    expected = {"python": difference.python, "ours": hosted or difference.ours}
    for kind, answer in pair.ask(difference.ask).items():
        assert answer == expected[kind], kind


@pytest.mark.parametrize(
    "addition",
    [pytest.param(each, id=each.title, marks=[pytest.mark.rust] if each.rust else []) for each in ADDITIONS],
)
def test_additions(request: pytest.FixtureRequest, addition: Addition) -> None:
    pair: Pair = request.getfixturevalue(addition.on)
    expected = {"python": addition.python, "ours": addition.ours}
    for kind, answer in pair.ask(addition.ask).items():
        assert answer == expected[kind], kind


@pytest.fixture(scope="module")
def started(farm: Farm) -> dict[str, Pair]:
    """All servers of the table, started at once."""
    return {start.title: farm.launch(f"start {start.title}", start.config) for start in STARTS}


@pytest.mark.parametrize("start", STARTS, ids=lambda each: f"GD-{each.fault}: {each.title}")
def test_starts(farm: Farm, started: dict[str, Pair], start: Start) -> None:
    pair = started[start.title]
    for server in pair.servers:
        _check(server, start)
    farm.stop_running(pair)


def _check(server: Server, start: Start) -> None:
    refusals: dict[Kind, str | None] = {"python": start.python, "ours": start.ours}
    refusal = refusals[server.kind]
    if refusal is None:
        server.await_ready()
        if start.ask is not None:
            assert start.ask(server) == start.answers[server.kind], server.kind
    else:
        end = server.await_exit()
        assert end.code == 1, (server.kind, end.output)
        assert refusal in end.output, (server.kind, end.output)
