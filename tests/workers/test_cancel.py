"""Cancellation: it reaches the function once, whenever it comes, and blocks nobody."""

import json
from collections.abc import Callable

from harness.events import event
from harness.server import Worker


def _wait(worker: Worker, gate: Callable[[], None], **more: int) -> str:
    task = worker.slots[0].begin("Wait", json.dumps({"gate": gate.path} | more).encode())
    event(worker, "waits")
    return task


def test_the_function_is_asked_once(worker: Worker, gate: Callable[[], None]) -> None:
    task = _wait(worker, gate)
    worker.inbox.send("cancel", task=task)
    worker.inbox.send("cancel", task=task)
    told = event(worker, "asked to stop")
    assert (told["task"], told["function"]) == (task, "Wait")
    gate()
    answer = worker.slots[0].answer()
    assert (answer.head["kind"], answer.head["code"]) == ("cancelled", 6)
    assert answer.head["message"] == f"FlexConnect function invocation was cancelled. Invocation task was: '{task}'."
    worker.slots[0].call("Talk", b'{"what": "print"}')
    while (each := event(worker, ""))["event"] != "to stdout":
        assert each["event"] != "asked to stop"


def test_whatever_a_cancelled_function_raises_it_was_cancelled(worker: Worker, gate: Callable[[], None]) -> None:
    worker.inbox.send("cancel", task=_wait(worker, gate, raises=1))
    event(worker, "asked to stop")
    gate()
    assert worker.slots[0].answer().head["code"] == 6


def test_a_cancellation_may_come_before_its_call(worker: Worker) -> None:
    task = "0123456789abcdef" * 2
    worker.inbox.send("cancel", task=task)
    worker.inbox.send("metrics")
    worker.inbox.next("metrics")
    assert worker.slots[0].call("Tiny", task=task).head["code"] == 6
    assert worker.slots[0].call("Tiny", task=task).op == "table"


def test_a_cancel_that_blocks_harms_nobody(fresh: Worker, gate: Callable[[], None]) -> None:
    fresh.inbox.send("cancel", task=_wait(fresh, gate, blocks=1))
    event(fresh, "asked to stop")
    assert fresh.slots[1].call("Tiny").op == "table"
    gate()
    assert fresh.slots[0].answer().head["code"] == 6
    assert fresh.slots[0].call("Tiny").op == "table"
    fresh.inbox.send("stop")
    assert fresh.exited()["code"] == 0


def test_thousands_of_cancellations_of_nothing_are_forgotten(worker: Worker) -> None:
    for number in range(3_000):
        worker.inbox.send("cancel", task=f"{number:032x}")
    worker.inbox.send("metrics")
    worker.inbox.next("metrics")
    assert worker.slots[0].call("Tiny", task=f"{0:032x}").op == "table"
    assert worker.slots[0].call("Tiny", task=f"{2_999:032x}").head["code"] == 6
