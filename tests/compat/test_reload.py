"""What follows its files while ours runs; the original reads them once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from harness.answers import Failure
from harness.caller import Caller, Trust, command
from harness.certificates import Authority, Leaf
from harness.config import Config, to_toml
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Kind, Server
from harness.waiting import wait_until

_TOKENS = {"authentication_method": "token"}


def _list(*tokens: str) -> str:
    return to_toml({"enumerated_tokens": {"tokens": list(tokens)}})


def _await(pair: Pair, what: str, seen: Callable[[Server], bool]) -> None:
    """Waits until ours has seen it; the original never does."""
    for server in pair.servers:
        if server.kind == "ours":
            wait_until(what, lambda server=server: seen(server))


def _check(pair: Pair, ask: Callable[[Server], object], **expected: object) -> None:
    answers: dict[Kind, object] = pair.ask(ask)
    assert answers == {kind: expected[kind] for kind in answers}


def _admits(server: Server, token: str) -> bool:
    return not isinstance(Caller(server, ("authorization", f"Bearer {token}")).flights(), Failure)


def test_tokens(farm: Farm) -> None:
    pair = farm.start("token-reload", Config(server=_TOKENS, files={"tokens.toml": _list("old")}))

    def admitted(server: Server) -> list[str]:
        return [token for token in ("old", "new", "newest") if _admits(server, token)]

    _check(pair, admitted, python=["old"], ours=["old"])
    pair.ask(lambda server: server.write("tokens.toml", _list("new", "old")))
    _await(pair, "the new token", lambda server: _admits(server, "new"))
    _check(pair, admitted, python=["old"], ours=["old", "new"])

    pair.ask(lambda server: server.write("tokens.toml", "[enumerated_tokens"))
    _await(pair, "the broken file", lambda server: "tokens_not_reloaded" in server.output)
    _check(pair, admitted, python=["old"], ours=["old", "new"])

    pair.ask(lambda server: server.write("tokens.toml", _list("newest")))
    _await(pair, "the newest token", lambda server: _admits(server, "newest"))
    _check(pair, admitted, python=["old"], ours=["newest"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the certificates are."""
    return tmp_path


def _store(folder: Path, leaf: Leaf) -> None:
    (folder / "tls.key").write_text(leaf.key)
    (folder / "tls.crt").write_text(leaf.certificate)


def _tls(folder: Path) -> dict[str, object]:
    return {
        "use_tls": True,
        "tls_certificate": f"@{folder / 'tls.crt'}",
        "tls_private_key": f"@{folder / 'tls.key'}",
    }


def _reaches(server: Server, trust: Trust) -> bool:
    return not isinstance(Caller(server, trust=trust).info(command("Table")), Failure)


def test_the_certificate(farm: Farm, authority: Authority, stranger: Authority, folder: Path) -> None:
    _store(folder, authority.issue("server"))
    pair = farm.start("tls-reload", Config(server=_tls(folder)))
    trusts = {"first": Trust(authority.pem), "second": Trust(stranger.pem)}

    def reached(server: Server) -> list[str]:
        return [name for name, trust in trusts.items() if _reaches(server, trust)]

    _check(pair, reached, python=["first"], ours=["first"])
    callers = {server.kind: Caller(server, trust=trusts["first"]) for server in pair.servers}
    connections = {kind: caller.connect() for kind, caller in callers.items()}
    for kind, connection in connections.items():
        assert len(list(connection.list_flights(b"", callers[kind].options()))) > 0

    _store(folder, stranger.issue("server"))
    _await(pair, "the second certificate", lambda server: _reaches(server, trusts["second"]))
    _check(pair, reached, python=["first"], ours=["second"])
    for kind, connection in connections.items():
        # Connections stay as they are.
        assert len(list(connection.list_flights(b"", callers[kind].options()))) > 0
        connection.close()

    (folder / "tls.key").write_text("nonsense")
    _await(pair, "the broken key", lambda server: "tls_not_reloaded" in server.output)
    _check(pair, reached, python=["first"], ours=["second"])


def test_the_authority_of_clients(farm: Farm, authority: Authority, stranger: Authority, folder: Path) -> None:
    _store(folder, authority.issue("server"))
    (folder / "ca.crt").write_text(authority.pem)
    settings = _tls(folder) | {"use_mtls": True, "tls_root_certificate": f"@{folder / 'ca.crt'}"}
    pair = farm.start("mtls-reload", Config(server=settings))
    leaves = {"first": authority.issue("client"), "second": stranger.issue("client")}

    def reached(server: Server) -> list[str]:
        return [name for name, leaf in leaves.items() if _reaches(server, Trust(authority.pem, leaf))]

    _check(pair, reached, python=["first"], ours=["first"])
    (folder / "ca.crt").write_text(stranger.pem)
    _await(pair, "the other authority", lambda server: _reaches(server, Trust(authority.pem, leaves["second"])))
    _check(pair, reached, python=["first"], ours=["second"])


def test_the_advertised_address(farm: Farm, folder: Path) -> None:
    file = folder / "address"
    pair = farm.start("advertise-reload", Config(server={"advertise_file": str(file)}))

    def told(server: Server) -> str:
        (endpoint,) = Caller(server).raw_info(command("Table")).endpoints
        return endpoint.locations[0].uri.decode().replace(f":{server.port}", ":<own>")

    _check(pair, told, python="grpc://localhost:<own>", ours="grpc://localhost:<own>")
    file.write_text("sales.example.com:443\n")
    _await(pair, "the new address", lambda server: told(server) == "grpc://sales.example.com:443")
    _check(pair, told, python="grpc://localhost:<own>", ours="grpc://sales.example.com:443")
