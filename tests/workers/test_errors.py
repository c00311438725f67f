"""Failures: each ends its call, tells what the vendor's server would, and leaves the slot as good as before."""

import json
from typing import Any

import pytest
from gooddata_flight_server import ErrorInfo
from harness.server import Slot

_RUNNING = "There was an error while running task"
_NO_INFO = "Call failed with error that does not contain ErrorInfo. The error message was: "
_NO_DATA = "Unexpected type of 'data': {}. Expected Arrow Table or RecordBatchReader."


def _failed(slot: Slot, how: str) -> tuple[dict[str, Any], bytes]:
    answer = slot.call("Fail", json.dumps({"how": how}).encode())
    assert answer.op == "error"
    assert not answer.handed_over
    assert slot.call("Tiny").op == "table"
    return answer.head, answer.body


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("value", 1, "not that"),
        ("decode", 1, "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ("arrow invalid", 1, "Failed to parse string: 'x' as a scalar of type int64"),
        ("empty value", 1, ""),
        ("list", 1, _NO_DATA.format("list")),
        ("batch", 1, _NO_DATA.format("RecordBatch")),
        ("none", 1, _NO_DATA.format("NoneType")),
        ("deep", 1, "deep"),
        ("runtime", 5, f"{_RUNNING}: broken"),
        ("empty", 5, f"{_RUNNING}."),
        ("key", 5, f"{_RUNNING}: 'missing'"),
        ("not implemented", 5, f"{_RUNNING}: later"),
        ("timeout", 5, f"{_RUNNING}: slow"),
        ("os", 5, f"{_RUNNING}: [Errno 2] No such file or directory: '/nowhere/at/all'"),
        ("chain", 5, f"{_RUNNING}: outer"),
        ("surrogate", 5, f"{_RUNNING}: ?"),
        ("exit", 5, f"{_RUNNING}: the function raised SystemExit (3), which would end its process"),
        ("interrupt", 5, f"{_RUNNING}: the function raised KeyboardInterrupt, which would end its process"),
        ("generator", 5, f"{_RUNNING}: the function raised GeneratorExit, which would end its process"),
        ("unprintable", 5, f"{_RUNNING}: <Unprintable without a text: RuntimeError>"),
        ("endless", 5, f"{_RUNNING}: maximum recursion depth exceeded"),
    ],
)
def test_what_a_function_raises_is_what_the_caller_is_told(slot: Slot, how: str, code: int, message: str) -> None:
    head, body = _failed(slot, how)
    assert (head["kind"], head["code"], head["detail"], body) == ("server", code, None, b"")
    assert head["message"] == message or (how == "endless" and head["message"].startswith(message))
    assert "flexconnect_worker" not in head["traceback"]


@pytest.mark.parametrize("how", ["huge", "huge value"])
def test_texts_of_megabytes_are_cut(slot: Slot, how: str) -> None:
    head, _ = _failed(slot, how)
    assert len(json.dumps(head)) < 60_000
    assert "more characters]" in head["message"]


def test_a_traceback_has_its_causes_and_the_last_frames(slot: Slot) -> None:
    trace = _failed(slot, "chain")[0]["traceback"]
    assert trace.index("KeyError: 'inner'") < trace.index("while handling") < trace.index("RuntimeError: outer")
    deep = _failed(slot, "deep")[0]["traceback"]
    assert 'raise ValueError("deep")' in deep
    assert len(deep) < 24_576


@pytest.mark.parametrize(
    "kind",
    ["internal", "timed-out", "cancelled", "unavailable", "unauthenticated", "unauthorized", "server"],
)
def test_flight_errors_keep_their_class_and_their_info(slot: Slot, kind: str) -> None:
    head, body = _failed(slot, kind)
    assert (head["kind"], head["code"], head["message"], head["detail"]) == (kind, 1500, "told", "why")
    info = ErrorInfo.from_bytes(body)
    assert (info.msg, info.code, info.body) == ("told", 1500, b"body" if kind == "server" else None)


def test_an_info_that_fits_nowhere_is_told_without_its_body(slot: Slot) -> None:
    head, body = _failed(slot, "large info")
    assert (head["code"], head["message"], body) == (1500, "told", b"")


def test_an_info_that_lacks_parts_is_passed_on(slot: Slot) -> None:
    head, body = _failed(slot, "partial info")
    assert (head["code"], head["message"], body) == (0, "only this", b'{"msg":"only this"}')


@pytest.mark.parametrize(("how", "kind", "text"), [("no info", "unavailable", "plain"), ("base", "none", "basic")])
def test_flight_errors_without_info_say_so(slot: Slot, how: str, kind: str, text: str) -> None:
    head, body = _failed(slot, how)
    assert (head["kind"], head["code"], head["message"], body) == (kind, 0, _NO_INFO + text, b"")


@pytest.mark.parametrize("name", ["Unmakeable", "Abstract"])
def test_objects_that_cannot_be_made_fail_the_call(slot: Slot, name: str) -> None:
    answer = slot.call(name)
    assert (answer.op, answer.head["code"]) == ("error", 5)
