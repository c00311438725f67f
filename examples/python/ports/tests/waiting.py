"""Waiting for what happens in other processes."""

import time
from collections.abc import Callable

_PATIENCE_SECONDS = 20


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Looks until the condition holds; fails when it takes too long."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not after {_PATIENCE_SECONDS} s"
        time.sleep(0.02)
