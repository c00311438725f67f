"""Errors that functions raise, as a pyarrow client with the vendor's error classes sees them."""

import pytest
from gooddata_flight_server import ErrorCode
from harness.answers import Failure, Info, bad_argument, failed
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server

_KINDS = {
    "server": "FlightServerError",
    "internal": "FlightInternalError",
    "timeout": "FlightTimedOutError",
    "cancelled": "FlightCancelledError",
    "unavailable": "FlightUnavailableError",
    "unauthenticated": "FlightUnauthenticatedError",
    "unauthorized": "FlightUnauthorizedError",
}


def _fail(pair: Pair, **parameters: object) -> Failure:
    return pair.agree(lambda server: Caller(server).info(command("Fail", **parameters)))


@pytest.mark.parametrize("message", ["no such region", "ends with a dot.", "100 % ünïcode 🦀", "two\nlines", "", " "])
def test_a_value_error_is_a_bad_argument(plain: Pair, message: str) -> None:
    assert _fail(plain, kind="value", message=message) == bad_argument(message)


@pytest.mark.parametrize("length", [255, 256, 257, 5_000])
def test_a_message_is_cut_at_256_characters(plain: Pair, length: int) -> None:
    expected = "ů" * length if length <= 256 else "ů" * 256 + " [truncated]"
    assert _fail(plain, kind="value", message="ů", repeat=length) == bad_argument(expected)


@pytest.mark.parametrize("kind", _KINDS)
def test_a_flight_error_keeps_its_class_and_all_of_its_info(plain: Pair, kind: str) -> None:
    failure = _fail(plain, kind=kind, message="quota used up", detail="of tenant 7", body="{}", code=1500)
    assert failure == failed("quota used up", 1500, _KINDS[kind], detail="of tenant 7", body=b"{}")


@pytest.mark.parametrize("kind", _KINDS)
def test_a_flight_error_may_have_little_to_say(plain: Pair, kind: str) -> None:
    assert _fail(plain, kind=kind, message="", code=0) == failed("", 0, _KINDS[kind])


@pytest.mark.parametrize(
    "code",
    [
        *(ErrorCode.BAD_REQUEST, ErrorCode.UNSUPPORTED_SERVICE, ErrorCode.POLL, ErrorCode.BACKPRESSURE),
        *(ErrorCode.INTERNAL_ERROR, ErrorCode.NOT_READY, ErrorCode.SHUTTING_DOWN, ErrorCode.NOT_IMPLEMENTED),
        *(1000, 65_535, 1000 | 0x3_0000),
    ],
)
def test_codes_keep_their_retry_flags(plain: Pair, code: int) -> None:
    assert _fail(plain, kind="unavailable", message="m", code=code).code == code


@pytest.mark.parametrize("length", [511, 512, 513, 3_000])
def test_a_detail_is_cut_at_512_characters(plain: Pair, length: int) -> None:
    expected = "d" * length if length <= 512 else "d" * 512 + " [truncated]"
    assert _fail(plain, kind="server", message="m", detail="d" * length).info == Info("m", expected, 0, None)


def test_a_body_arrives_whole(plain: Pair) -> None:
    body = "b\u0000ü" * 300
    assert _fail(plain, kind="server", message="m", body=body).info.body == body.encode()


@pytest.mark.parametrize("message", ["the warehouse is gone", ""])
def test_any_other_error_is_a_failed_command(plain: Pair, message: str) -> None:
    failure = plain.agree(
        lambda server: Caller(server).info(command("Fail", kind="runtime", message=message)).without_detail()
    )
    text = f"There was an error while running task: {message}" if message else "There was an error while running task."
    assert failure == failed(text, 5)


def test_a_failure_can_be_asked_for_again(plain: Pair) -> None:
    def ask(server: Server) -> list[Failure]:
        caller = Caller(server).pollable()
        pending = caller.start("Sleeper", key="fail-again", seconds=20, rude=True)
        caller.info(pending.cancel)
        return [caller.finish(pending).without_detail() for _ in range(2)]

    for first, second in plain.ask(ask).values():
        assert first == second


def test_a_bug_in_a_function_leaves_the_server_serving(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        failures = [Caller(server).info(command("Panic")) for _ in range(20)]
        return (
            {failure.error for failure in failures},
            {failure.code for failure in failures},
            (Caller(server).call("Table").rows),
        )

    errors, codes, rows = plain.agree(ask)
    assert (errors, codes) == ({"FlightServerError"}, {ErrorCode.COMMAND_FAILED})
    assert len(rows) == 3


@pytest.mark.parametrize("kind", ["value", "runtime", "flight", "panic"])
def test_a_stream_that_breaks_keeps_the_batches_before(plain: Pair, kind: str) -> None:
    rows = plain.agree(lambda s: _without_failure(Caller(s).call("FailingStream", kind=kind, batches=[2, 3])))
    assert rows == ((2, 3), [(n,) for n in range(5)], True)


def _without_failure(rows: object) -> tuple:
    return rows.lengths, rows.rows, rows.failure is not None
