"""The product of all axes, without what cannot be or would say the same again: each for a reason that is given here."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from matrix.access import ADMITTED, OPEN, REFUSED
from matrix.axes import Case, Client, Mode
from matrix.clients import METHODS_OF_PYARROW
from matrix.questions import QUESTIONS


@dataclass(frozen=True)
class Rule:
    """Why some points of the product are no cases."""

    reason: str
    excludes: Callable[[Case], bool]


RULES = [
    Rule(
        "pyarrow's client does not have the method",
        lambda case: case.client is Client.PYARROW and case.question.rpc not in METHODS_OF_PYARROW,
    ),
    Rule(
        "pyarrow's client cannot be made to send the request",
        lambda case: case.client not in case.question.clients,
    ),
    Rule(
        "pyarrow's handshake brings an authorization header of its own",
        lambda case: case.client is Client.PYARROW and case.question.rpc == "Handshake" and case.access is not OPEN,
    ),
    Rule(
        "only a call that starts a task, or asks for one, can be waited for in several ways",
        lambda case: case.mode not in case.question.modes,
    ),
    Rule(
        "a caller that is not let in has no task to cancel",
        lambda case: case.mode is Mode.CANCELLED and not case.access.admitted,
    ),
    Rule(
        "nothing depends on how a caller got in, or was not let in: one question of each method shows it",
        lambda case: case.access is not OPEN and not case.question.representative,
    ),
]

_PRODUCT = [Case(*point) for point in product(QUESTIONS, [*ADMITTED, *REFUSED], Mode, Client)]
CASES = [case for case in _PRODUCT if not any(rule.excludes(case) for rule in RULES)]


def is_needed(rule: Rule) -> bool:
    """Whether a rule excludes a point that no other does."""
    others = [other for other in RULES if other is not rule]
    return any(rule.excludes(case) and not any(other.excludes(case) for other in others) for case in _PRODUCT)
