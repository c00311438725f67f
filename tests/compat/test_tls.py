"""TLS and mutual TLS with a pyarrow client that checks what it is told to check."""

import socket
import ssl
from pathlib import Path

import pytest
from harness.answers import Failure
from harness.caller import Caller, Trust, command
from harness.certificates import Authority
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server


@pytest.fixture(scope="module")
def encrypted(farm: Farm, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """TLS with material from files, and a token as every real server has one."""
    folder = tmp_path_factory.mktemp("tls")
    leaf = authority.issue("server")
    return farm.start(
        "tls",
        Config(
            server={
                "use_tls": True,
                "tls_certificate": f"@{_write(folder / 'tls.crt', leaf.certificate)}",
                "tls_private_key": f"@{_write(folder / 'tls.key', leaf.key)}",
                "authentication_method": "token",
            },
            sections={"enumerated_tokens": {"tokens": ["secret"]}},
        ),
    )


@pytest.fixture(scope="module")
def mutual(farm: Farm, authority: Authority) -> Pair:
    """Mutual TLS with material written into the configuration."""
    leaf = authority.issue("server")
    server = {"use_tls": True, "tls_certificate": leaf.certificate, "tls_private_key": leaf.key}
    return farm.start("mtls", Config(server=server | {"use_mtls": True, "tls_root_certificate": authority.pem}))


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_call_over_tls(encrypted: Pair, authority: Authority) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server, ("authorization", "Bearer secret"), trust=Trust(authority.pem))
        return caller.info(command("Table")).endpoints, caller.call("Table").rows

    endpoints, rows = encrypted.agree(ask)
    assert endpoints[0].locations == ("grpc+tls://localhost:<port>",)
    assert len(rows) == 3


def test_the_token_is_asked_for_behind_tls(encrypted: Pair, authority: Authority) -> None:
    failure = encrypted.agree(lambda server: Caller(server, trust=Trust(authority.pem)).info(command("Table")))
    assert failure.error == "FlightUnauthenticatedError"


def test_a_client_that_trusts_another_ca_refuses_the_server(encrypted: Pair, stranger: Authority) -> None:
    assert encrypted.agree(lambda server: _refusal(server, Trust(stranger.pem))) == "FlightUnavailableError"


def test_plain_text_is_not_answered(encrypted: Pair) -> None:
    assert encrypted.agree(lambda server: _refusal(server, None)) == "FlightUnavailableError"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_speak_http2(encrypted: Pair, authority: Authority, version: ssl.TLSVersion) -> None:
    def ask(server: Server) -> tuple[str | None, str | None]:
        context = ssl.create_default_context(cadata=authority.pem)
        context.minimum_version = context.maximum_version = version
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as wrapped,
        ):
            return wrapped.version(), wrapped.selected_alpn_protocol()

    expected = "TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3"
    assert encrypted.agree(ask) == (expected, "h2")


def test_mutual_tls_serves_the_right_certificate(mutual: Pair, authority: Authority) -> None:
    trust = Trust(authority.pem, authority.issue("client"))
    assert len(mutual.agree(lambda server: Caller(server, trust=trust).call("Table").rows)) == 3


def test_mutual_tls_refuses_a_client_without_a_certificate(mutual: Pair, authority: Authority) -> None:
    assert mutual.agree(lambda server: _refusal(server, Trust(authority.pem))) == "FlightUnavailableError"


def test_mutual_tls_refuses_a_certificate_of_another_ca(
    mutual: Pair, authority: Authority, stranger: Authority
) -> None:
    trust = Trust(authority.pem, stranger.issue("client"))
    assert mutual.agree(lambda server: _refusal(server, trust)) == "FlightUnavailableError"


def test_mutual_tls_serves_on_after_refusals(mutual: Pair, authority: Authority) -> None:
    for _ in range(3):
        mutual.ask(lambda server: _refusal(server, Trust(authority.pem)))
    test_mutual_tls_serves_the_right_certificate(mutual, authority)


def _refusal(server: Server, trust: Trust | None) -> str:
    """The error of a call that does not get through."""
    answer = Caller(server, trust=trust).info(command("Table"))
    assert isinstance(answer, Failure), answer
    return answer.error
