"""Token authentication: the same checks before every method."""

import pytest
from harness import wire
from harness.answers import Failure, failed
from harness.caller import Caller, Header, command
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.wire import WireAnswer

_MISSING = "Authentication failed because the authentication header bearing the token was not included on the call."
_REPEATED = "Authentication failed because the authentication header '{}' is specified multiple times."
_NO_BEARER = "Authentication failed because the 'Authorization' header does not start with 'Bearer '"
_WRONG = "Authentication token is not valid."


@pytest.fixture(scope="module")
def guarded(farm: Farm) -> Pair:
    """Two tokens, given by an environment variable; the default header."""
    tokens = {"GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS": '["first", "second"]'}
    return farm.start("tokens", Config(server={"authentication_method": "token"}, env=tokens))


@pytest.fixture(scope="module")
def renamed(farm: Farm) -> Pair:
    """One token with a space in it, given by a file; a header of its own."""
    server = {"authentication_method": "token", "token_header_name": "X-Compat-Token"}
    return farm.start("token-header", Config(server=server, sections={"enumerated_tokens": {"tokens": ["Bearer x"]}}))


def _refused(msg: str) -> WireAnswer:
    return WireAnswer(
        "UNAUTHENTICATED",
        f"{msg}. Detail: Unauthenticated",
        {
            "x-arrow-status": b"5",
            "x-arrow-status-message-bin": msg.encode(),
            "x-arrow-status-detail-bin": b"Unauthenticated",
        },
    )


@pytest.mark.parametrize("method", wire.METHODS)
@pytest.mark.parametrize(
    ("headers", "msg"),
    [((), _MISSING), ((("authorization", "Bearer wrong"),), _WRONG)],
    ids=["without a token", "with a wrong token"],
)
def test_no_method_is_open(guarded: Pair, method: str, headers: tuple[Header, ...], msg: str) -> None:
    answer = guarded.agree(lambda server: wire.call(server, method, wire.descriptor(b"{}"), *headers))
    assert answer == _refused(msg)


@pytest.mark.parametrize(
    ("headers", "msg"),
    [
        ([("authorization", "Bearer first"), ("authorization", "Bearer first")], _REPEATED.format("Authorization")),
        ([("authorization", "first")], _NO_BEARER),
        ([("authorization", "bearer first")], _NO_BEARER),
        ([("authorization", "BEARER first")], _NO_BEARER),
        ([("authorization", "Basic first")], _NO_BEARER),
        ([("authorization", "Bearer")], _NO_BEARER),
        ([("authorization", "")], _NO_BEARER),
        ([("authorization", "Bearer FIRST")], _WRONG),
        ([("authorization", "Bearer firs")], _WRONG),
        ([("authorization", "Bearer first second")], _WRONG),
        ([("authorization", 'Bearer "first"')], _WRONG),
        ([("x-compat-token", "first")], _MISSING),
    ],
)
def test_a_bad_header_is_refused(guarded: Pair, headers: list[Header], msg: str) -> None:
    request = wire.descriptor(command("Table"))
    assert guarded.agree(lambda server: wire.call(server, "GetFlightInfo", request, *headers)) == _refused(msg)


@pytest.mark.parametrize("value", ["Bearer first", "Bearer second", "Bearer    first"])
def test_a_good_token_opens_every_method(guarded: Pair, value: str) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server, ("authorization", value))
        return len(caller.flights()), caller.call("Table").rows, caller.pollable().info(command("Table")).totals

    listed, rows, totals = guarded.agree(ask)
    assert (listed, len(rows), totals) == (25, 3, (-1, -1))


def test_pyarrow_sees_an_unauthenticated_error_without_info(guarded: Pair) -> None:
    failure = guarded.agree(lambda server: Caller(server).info(command("Table")))
    assert failure == failed(_MISSING, None, "FlightUnauthenticatedError")


def test_the_token_is_asked_for_before_the_command_is_read(guarded: Pair) -> None:
    failure = guarded.agree(lambda server: Caller(server).info(b"nonsense"))
    assert failure.error == "FlightUnauthenticatedError"


def test_a_header_of_ones_own_takes_its_whole_value(renamed: Pair) -> None:
    rows = renamed.agree(lambda server: Caller(server, ("x-compat-token", "Bearer x")).call("Table").rows)
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("headers", "msg"),
    [
        ([], _MISSING),
        ([("authorization", "Bearer x")], _MISSING),
        ([("x-compat-token", "x")], _WRONG),
        ([("x-compat-token", "")], _WRONG),
        ([("x-compat-token", "Bearer x"), ("x-compat-token", "Bearer x")], _REPEATED.format("X-Compat-Token")),
    ],
)
def test_a_bad_header_of_ones_own_is_refused(renamed: Pair, headers: list[Header], msg: str) -> None:
    request = wire.descriptor(command("Table"))
    assert renamed.agree(lambda server: wire.call(server, "GetFlightInfo", request, *headers)) == _refused(msg)


def test_refusals_do_not_hurt_those_with_a_token(guarded: Pair) -> None:
    def ask(server: Server) -> list[bool]:
        callers = [Caller(server), Caller(server, ("authorization", "Bearer first"))] * 5
        return [isinstance(caller.info(command("Table")), Failure) for caller in callers]

    assert guarded.agree(ask) == [True, False] * 5
