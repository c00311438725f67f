"""Token verification strategies: what a worker says of a token."""

import json

import pytest
from harness.events import event
from harness.server import Server, Slot, Worker
from harness.wire import Packet


@pytest.fixture(scope="module")
def verifying(server: Server) -> Worker:
    """A worker with the strategy and no function."""
    settings = {"settings": {"verifying": {"secret": "good"}}, "server": {"token_verification": "verifying"}}
    worker = server.start_worker()
    loaded = worker.load(verifier="verifying", **settings)
    assert loaded.op == "loaded", loaded
    worker.open_slots(1)
    return worker


def _ask(slot: Slot, token: str, method: str = "DoGet") -> Packet:
    slot.wire.send("verify", method=method, token=token)
    return slot.answer()


def test_a_token_is_good_or_not(verifying: Worker) -> None:
    slot = verifying.slots[0]
    assert _ask(slot, "good").head == {"op": "verified", "subject": "ann"}
    refused = _ask(slot, "bad")
    assert (refused.op, refused.head["kind"], refused.head["message"]) == ("refused", "unauthenticated", "who are you?")
    assert (refused.head["traceback"], refused.head.get("fault"), refused.body) == (None, None, b"")
    refused = _ask(slot, "good", "DoPut")
    assert (refused.head["kind"], refused.head["message"]) == ("unauthorized", "not that")
    assert _ask(slot, "good", "PollFlightInfo").op == "verified"
    assert "task" not in event(verifying, "verifies")


def test_an_error_keeps_its_info(verifying: Worker) -> None:
    refused = _ask(verifying.slots[0], "described")
    assert (refused.head["kind"], refused.head["code"], refused.head["detail"]) == ("unavailable", 1500, "d")
    assert json.loads(refused.body)["msg"] == "not now"


@pytest.mark.parametrize(("token", "fault"), [("value", "value"), ("todo", "not-implemented"), ("exit", "other")])
def test_a_failure_of_the_strategy_is_told_apart(verifying: Worker, token: str, fault: str) -> None:
    refused = _ask(verifying.slots[0], token)
    assert (refused.op, refused.head["fault"], refused.head["message"]) == ("refused", fault, None)
    assert "Traceback" in refused.head["traceback"]


def test_a_module_without_a_strategy_does_not_load(server: Server) -> None:
    unloadable = server.start_worker().load(verifier="plain", server={"token_verification": "plain"})
    assert (unloadable.op, "TokenVerificationStrategy" in unloadable.head["message"]) == ("unloadable", True)
