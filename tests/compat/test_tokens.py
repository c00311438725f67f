"""Token authentication beside the matrix: when a token is asked for, and whom a refusal does not hurt."""

from harness.answers import Failure
from harness.caller import Caller, command
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
