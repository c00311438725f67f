"""Every case of the matrix: both servers give one answer, or differ as `differences.py` and `additions.py` say."""

import pytest
from additions import SURPLUS
from differences import DEVIATIONS
from harness import wire
from harness.pair import Pair
from matrix.axes import Case
from matrix.cases import CASES, RULES, Rule, is_needed
from matrix.conversation import converse
from matrix.deviation import Deviation, face, seen_face
from matrix.seen import Seen

_ALL = [*DEVIATIONS, *SURPLUS]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_answers(request: pytest.FixtureRequest, case: Case) -> None:
    pair: Pair = request.getfixturevalue(case.on)
    deviation = _deviation(case)
    seen = pair.ask(lambda server: converse(server, case))
    expected = {"ours": case.ends, "python": (deviation and deviation.python) or case.ends}
    for kind, steps in seen.items():
        assert seen_face(steps[-1]) == face(case, *expected[kind]), (kind, steps[-1])
    if "ours" in seen:
        assert not any(step.shows_inside for step in seen["ours"])
    if len(seen) == 2:
        _compare(deviation, seen["python"], seen["ours"])


def _deviation(case: Case) -> Deviation | None:
    """The one entry that is about a case, if there is one."""
    found = [deviation for deviation in _ALL if case.access.admitted and deviation.covers(case)]
    assert len(found) <= 1, [deviation.title for deviation in found]
    return found[0] if found else None


def _compare(deviation: Deviation | None, python: tuple[Seen, ...], ours: tuple[Seen, ...]) -> None:
    if deviation is None:
        assert ours == python
        return
    apart = set[str]().union(*(one.apart(other) for one, other in zip(python, ours, strict=True)))
    assert apart, f"'{deviation.title}' is no difference here"
    assert apart <= deviation.parts, f"'{deviation.title}' does not speak of {apart - deviation.parts}"
    assert any(step.shows_inside for step in python) == deviation.inside


@pytest.mark.parametrize("deviation", _ALL, ids=lambda each: each.title)
def test_every_difference_has_its_cases(deviation: Deviation) -> None:
    assert any(_deviation(case) is deviation for case in CASES)


def test_the_matrix_is_as_wide_as_it_is_meant_to_be() -> None:
    """A case has one name, and every method is there."""
    names = [str(case) for case in CASES]
    assert len(names) == len(set(names))
    assert {case.question.rpc for case in CASES} == wire.METHODS.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.reason)
def test_every_rule_is_needed(rule: Rule) -> None:
    assert is_needed(rule)
