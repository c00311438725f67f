"""What a worker logged, waited for."""

from typing import Any

from harness.server import Worker


def event(worker: Worker, needle: str) -> dict[str, Any]:
    """The first event whose text holds the needle; the others are forgotten."""
    while True:
        for each in worker.inbox.next("log").head["events"]:
            if needle in each["event"]:
                return each
