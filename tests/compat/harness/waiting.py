"""Waiting for a condition, with a deadline and a sentence for when it does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_SECONDS = 30.0
_STEP_SECONDS = 0.02


def wait_until(what: str, probe: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """The first true answer of `probe`; an AssertionError that names `what` when none came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = probe()
        if answer:
            return answer
        time.sleep(_STEP_SECONDS)
    raise AssertionError(f"waited {seconds:g} s in vain for: {what}")
