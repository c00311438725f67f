"""Errors on the wire, beside those of the matrix: behind rows, large ones, and whose ids they name."""

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
