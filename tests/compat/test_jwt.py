"""JSON Web Tokens, which the original does not know: it does not start with them."""

import time
from pathlib import Path

import pytest
from harness.answers import Failure
from harness.caller import Caller
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from harness.tokens import AUDIENCE, ISSUER, Issuer, key_set
from harness.waiting import wait_until

pytestmark = pytest.mark.ours

_HOUR = 3_600
_ISSUER, _NEXT, _STRANGER = Issuer("first"), Issuer("second"), Issuer("first")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the keys whose tokens are good."""
    file = tmp_path_factory.mktemp("jwt") / "keys.json"
    file.write_text(key_set(_ISSUER))
    return file


@pytest.fixture(scope="module")
def signed(farm: Farm, keys: Path) -> Pair:
    """The servers that start with tokens of an issuer: ours."""
    jwt = {"issuer": ISSUER, "audience": [AUDIENCE, "another"], "jwks_file": str(keys), "algorithms": ["ES256"]}
    server = {"authentication_method": "token", "token_verification": "JwtVerification"}
    pair = farm.launch("jwt", Config(server=server, sections={"jwt": jwt}))
    for one in pair.servers:
        if one.kind == "ours":
            one.await_ready()
        else:
            assert one.await_exit().code == 1
            farm.forget(Pair((one,)))
    return Pair(tuple(one for one in pair.servers if one.kind == "ours"))


def _admits(server: Server, token: str) -> bool:
    answer = Caller(server, ("authorization", f"Bearer {token}")).flights()
    if isinstance(answer, Failure):
        assert answer.error == "FlightUnauthenticatedError"
        # Callers are told what is theirs to change, and nothing else.
        assert answer.text.split(".")[0] in ("Authentication token is not valid", "Authentication token has expired")
        return False
    return True


@pytest.mark.parametrize(
    "token",
    [
        _ISSUER.token(),
        _ISSUER.token(aud=["someone", AUDIENCE]),
        _ISSUER.token(aud="another"),
        _ISSUER.token(nbf=int(time.time()) - 1),
        _ISSUER.token(exp=int(time.time()) + _HOUR, scope=["a", {"b": None}]),
        _ISSUER.token({"kid": None}),
    ],
    ids=["plain", "of several audiences", "of another audience", "not before", "further claims", "no name of a key"],
)
def test_good_tokens(signed: Pair, token: str) -> None:
    for server in signed.servers:
        assert _admits(server, token)


@pytest.mark.parametrize(
    "token",
    [
        _ISSUER.token(iss="https://other.example.com/"),
        _ISSUER.token(iss=None),
        _ISSUER.token(aud="else"),
        _ISSUER.token(aud=None),
        _ISSUER.token(exp=int(time.time()) - _HOUR),
        _ISSUER.token(exp=None),
        _ISSUER.token(exp="soon"),
        _ISSUER.token(nbf=int(time.time()) + _HOUR),
        _ISSUER.token({"kid": "unknown"}),
        _ISSUER.token({"alg": "ES384"}),
        _ISSUER.token({"crit": ["b64"], "b64": False}),
        _STRANGER.token(),
        _ISSUER.unsigned(),
        _ISSUER.signed_with_the_public_key(),
        _ISSUER.token()[:-6],
        _ISSUER.token() + ".more",
        "nonsense",
        "a.b.c",
        "..",
    ],
    ids=[
        *("another issuer", "no issuer", "another audience", "no audience"),
        *("expired", "never expires", "expires at a word", "not yet"),
        *("unknown key", "another algorithm", "an unknown extension", "the key of a stranger"),
        *("no signature", "the public key as a secret", "cut off", "too long", "nonsense", "three parts", "dots"),
    ],
)
def test_bad_tokens(signed: Pair, token: str) -> None:
    for server in signed.servers:
        assert not _admits(server, token)
        assert _admits(server, _ISSUER.token())
        assert token not in server.output


def test_keys_follow_their_file(signed: Pair, keys: Path) -> None:
    for server in signed.servers:
        assert not _admits(server, _NEXT.token())
        keys.write_text(key_set(_ISSUER, _NEXT))
        wait_until("the next key", lambda server=server: _admits(server, _NEXT.token()))
        assert _admits(server, _ISSUER.token())
        keys.write_text(key_set(_NEXT))
        wait_until("the end of the first key", lambda server=server: not _admits(server, _ISSUER.token()))
        keys.write_text("{")
        wait_until("the broken file", lambda server=server: "jwks_not_read" in server.output)
        assert _admits(server, _NEXT.token())
