"""Token authentication beside the matrix: when a token is asked for, and whom a refusal does not hurt."""

from collections.abc import Callable

import pytest
from harness.answers import Failure, failed
from harness.caller import Caller, command
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server


def test_the_token_is_asked_for_before_the_command_is_read(guarded: Pair) -> None:
    failure = guarded.agree(lambda server: Caller(server).info(b"nonsense"))
    assert failure.error == "FlightUnauthenticatedError"


def test_refusals_do_not_hurt_those_with_a_token(guarded: Pair) -> None:
    def ask(server: Server) -> list[bool]:
        callers = [Caller(server), Caller(server, ("authorization", "Bearer first"))] * 5
        return [isinstance(caller.info(command("Table")), Failure) for caller in callers]

    assert guarded.agree(ask) == [True, False] * 5


@pytest.fixture(scope="module")
def decided(farm: Farm) -> Pair:
    """A strategy in Python decides, and has settings of its own."""
    server = {"authentication_method": "token", "token_verification": "compat_functions.tokens"}
    sections = {"compat_tokens": {"good": ["one", "two"]}}
    return farm.start("token-strategy", Config(server=server, sections=sections))


def _with(token: str) -> Callable[[Server], object]:
    return lambda server: Caller(server, ("authorization", f"Bearer {token}")).call("Table")


def test_a_strategy_lets_callers_pass(decided: Pair) -> None:
    rows = decided.agree(_with("two"))
    assert not isinstance(rows, Failure)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("three", failed("There is no such token.", None, "FlightUnauthenticatedError")),
        ("", failed("There is no such token.", None, "FlightUnauthenticatedError")),
        ("forbidden", failed("Not for GetFlightInfo.", None, "FlightUnauthorizedError")),
        ("later", failed("The directory is down.", None, "FlightUnavailableError")),
        ("slow", failed("The directory is slow.", None, "FlightTimedOutError")),
        ("internal", failed("The directory is broken.", None, "FlightInternalError")),
        (
            "described",
            failed("Expired.", 1_500, "FlightUnauthenticatedError", detail="by a day", body=b"\x00renew"),
        ),
    ],
)
def test_what_a_strategy_raises_is_told(decided: Pair, token: str, expected: Failure) -> None:
    assert decided.agree(_with(token)) == expected


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("value", "ArrowInvalid"),
        ("todo", "ArrowNotImplementedError"),
        ("runtime", "FlightServerError"),
    ],
)
def test_a_strategy_that_fails_lets_nobody_pass(decided: Pair, token: str, error: str) -> None:
    answers = decided.ask(_with(token))
    assert {answer.error for answer in answers.values() if isinstance(answer, Failure)} == {error}
    assert all(isinstance(answer, Failure) for answer in answers.values())
    # The original tells everybody what went wrong inside.
    if "ours" in answers:
        assert "hush" not in str(answers["ours"])


def test_a_strategy_is_asked_for_every_method(decided: Pair) -> None:
    def ask(server: Server) -> tuple[object, object]:
        good = Caller(server, ("authorization", "Bearer one"))
        ticket = good.raw_info(command("Table")).endpoints[0].ticket.ticket
        bad = Caller(server, ("authorization", "Bearer three"))
        return bad.flights(), bad.read(ticket)

    listed, read = decided.agree(ask)
    assert isinstance(listed, Failure)
    assert isinstance(read, Failure)


@pytest.mark.parametrize(
    ("module", "says"), [("no_such_module", "no_such_module"), ("compat_functions.tables", "TokenVerificationStrategy")]
)
def test_without_a_strategy_there_is_no_server(farm: Farm, module: str, says: str) -> None:
    server = {"authentication_method": "token", "token_verification": module}
    exits = farm.run(f"no-strategy-{module}", Config(server=server))
    for end in exits.values():
        assert (end.code, says in end.output) == (1, True), end
