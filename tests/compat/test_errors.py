"""Errors that functions raise, beside those of the matrix: large ones, repeated ones, and bugs."""

from gooddata_flight_server import ErrorCode
from harness.answers import Failure
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server


def test_a_body_arrives_whole(plain: Pair) -> None:
    body = "b\u0000ü" * 300
    call = command("Fail", kind="server", message="m", body=body)
    assert plain.agree(lambda server: Caller(server).info(call)).info.body == body.encode()


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
