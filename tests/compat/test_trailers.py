"""Errors on the wire: status, message and trailers, byte for byte."""

import json
from dataclasses import replace

import pytest
from harness import wire
from harness.answers import mask
from harness.caller import POLLABLE, Caller, command
from harness.pair import Pair
from harness.server import Server
from harness.wire import WireAnswer

_NO_TASK = "0123456789abcdef0123456789abcdef"
_WORDS = {
    "server": ("UNKNOWN", b"Failed"),
    "internal": ("INTERNAL", b"Internal"),
    "timeout": ("DEADLINE_EXCEEDED", b"TimedOut"),
    "cancelled": ("CANCELLED", b"Cancelled"),
    "unavailable": ("UNAVAILABLE", b"Unavailable"),
    "unauthenticated": ("UNAUTHENTICATED", b"Unauthenticated"),
    "unauthorized": ("PERMISSION_DENIED", b"Unauthorized"),
}
# All metadata of a response together; above it gRPC's core begins to refuse responses at random.
_BUDGET = 8_192


def _described(status: str, word: bytes, msg: str, code: int, **further: object) -> WireAnswer:
    """The answer that describes an error in full."""
    info = {"msg": msg, "detail": None, "code": code, "body": None} | further
    return WireAnswer(
        status,
        f"{msg}. Detail: {word.decode()}",
        {
            "x-arrow-status": b"5",
            "x-arrow-status-message-bin": msg.encode(),
            "x-arrow-status-detail-bin": word,
            "grpc-status-details-bin": json.dumps(info, separators=(",", ":"), ensure_ascii=False).encode(),
        },
    )


def _info(server: Server, text: bytes, *headers: tuple[str, str]) -> WireAnswer:
    return wire.call(server, "GetFlightInfo", wire.descriptor(text), *headers)


@pytest.mark.parametrize("kind", _WORDS)
@pytest.mark.parametrize("msg", ["plain", "with a dot.", "ünïcode 100 % 🦀", ""])
def test_every_kind_of_flight_error(plain: Pair, kind: str, msg: str) -> None:
    answer = plain.agree(lambda server: _info(server, command("Fail", kind=kind, message=msg, code=1500)))
    status, word = _WORDS[kind]
    assert answer == _described(status, word, msg, 1500)


def test_detail_and_padded_body_are_in_the_info(plain: Pair) -> None:
    call = command("Fail", kind="server", message="m", detail="dů", body="r", code=7)
    answer = plain.agree(lambda server: _info(server, call))
    assert answer == _described("UNKNOWN", b"Failed", "m", 7, detail="dů", body="cg==")


def test_a_refused_command(plain: Pair) -> None:
    msg = "Incorrect FlexConnect function invocation. The invocation payload does not specify 'functionName'."
    assert plain.agree(lambda server: _info(server, b"{}")) == _described("UNKNOWN", b"Failed", msg, 1)


def test_a_refused_ticket(plain: Pair) -> None:
    msg = "Incorrect ticket payload. The ticket payload is not a valid JSON."
    answer = plain.agree(lambda server: wire.call(server, "DoGet", wire.ticket(b"?")))
    assert answer == _described("UNKNOWN", b"Failed", msg, 1)


def test_a_ticket_for_nothing(plain: Pair) -> None:
    request = wire.ticket(json.dumps({"task_id": _NO_TASK}).encode())
    msg = f"Unable to serve data for task '{_NO_TASK}'. The task result is not present."
    assert plain.agree(lambda server: wire.call(server, "DoGet", request)) == _described("UNKNOWN", b"Failed", msg, 4)


def test_work_in_progress(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        answer = _info(server, command("Sleeper", key="trailers", seconds=1), POLLABLE)
        info = json.loads(answer.trailers.pop("grpc-status-details-bin"))
        return answer.status, answer.message, answer.trailers, info | {"body": "<retry info>"}

    status, message, trailers, info = plain.agree(ask)
    assert (status, message) == ("DEADLINE_EXCEEDED", "Work in progress. Retry.. Detail: TimedOut")
    assert trailers == {
        "x-arrow-status": b"5",
        "x-arrow-status-message-bin": b"Work in progress. Retry.",
        "x-arrow-status-detail-bin": b"TimedOut",
    }
    assert info == {"msg": "Work in progress. Retry.", "detail": None, "code": 65637, "body": "<retry info>"}


def test_a_cancellation(plain: Pair) -> None:
    answer = plain.agree(lambda server: _info(server, f"c:{_NO_TASK}".encode(), POLLABLE))
    assert answer == _described("CANCELLED", b"Cancelled", "FlexConnect function invocation was cancelled.", 6)


def test_a_long_message_is_cut_everywhere(plain: Pair) -> None:
    answer = plain.agree(lambda server: _info(server, command("Fail", kind="value", message="m" * 9_000)))
    assert answer == _described("UNKNOWN", b"Failed", "m" * 256 + " [truncated]", 1)


def test_a_descriptor_of_unknown_type_has_no_error_info(plain: Pair) -> None:
    answer = plain.agree(lambda server: wire.call(server, "GetFlightInfo", b""))
    assert (answer.status, answer.message) == ("INVALID_ARGUMENT", "Client sent UNKNOWN descriptor type")
    assert answer.trailers == {
        "x-arrow-status": b"4",
        "x-arrow-status-message-bin": b"Client sent UNKNOWN descriptor type",
    }


def test_success_has_no_trailers_of_its_own(plain: Pair) -> None:
    answer = plain.agree(lambda server: _status(_info(server, command("Table"))))
    assert answer == ("OK", "", {})


@pytest.mark.parametrize(
    ("kind", "status", "word", "info"),
    [
        ("value", "UNKNOWN", b"Failed", {"msg": "the stream met a bad value", "code": 1}),
        (
            "runtime",
            "UNKNOWN",
            b"Failed",
            {"msg": "There was an error while running task: the stream broke", "code": 5},
        ),
        (
            "flight",
            "UNAVAILABLE",
            b"Unavailable",
            {"msg": "the source went away", "detail": "mid-stream", "code": 1500, "body": "Ym9keQ=="},
        ),
    ],
)
def test_an_error_behind_rows(plain: Pair, kind: str, status: str, word: bytes, info: dict) -> None:
    """GD-3: the original says what went wrong, and loses the ErrorInfo."""
    for server in plain.servers:
        ticket = Caller(server).submit(command("FailingStream", kind=kind, batches=[2, 3]))
        answer = wire.call(server, "DoGet", wire.ticket(ticket))
        assert len(answer.messages) == 3, server.kind
        if server.kind == "ours":
            assert answer == replace(_described(status, word, **info), messages=answer.messages)
        else:
            assert "grpc-status-details-bin" not in answer.trailers


@pytest.mark.parametrize("size", [100, 1_000, 2_000])
def test_trailers_stay_within_what_clients_accept(plain: Pair, size: int) -> None:
    call = command("Fail", kind="server", message="ů" * 300, detail="d" * 600, body="b", body_repeat=size, code=1500)
    for answer in plain.ask(lambda server: _info(server, call)).values():
        assert answer.status == "UNKNOWN"
        assert sum(len(value) * 4 // 3 for value in answer.trailers.values()) + len(answer.message.encode()) < _BUDGET


def test_ids_in_messages_are_those_of_the_request(plain: Pair) -> None:
    answer = plain.agree(lambda server: _info(server, f"r:{_NO_TASK}".encode(), POLLABLE))
    assert answer == _described("UNKNOWN", b"Failed", f"Task with id '{_NO_TASK}' does not exist.", 1)
    assert mask(answer.message) != answer.message


def _status(answer: WireAnswer) -> tuple[str, str, dict[str, bytes]]:
    return answer.status, answer.message, answer.trailers
