"""The running stand-in that the tests of this folder share."""

import os
import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest

LISTENING = re.compile(r"stands in for GoodData on (http://\S+)")


@pytest.fixture(scope="session")
def token() -> str:
    """The API token of the stand-in."""
    return secrets.token_hex()


@pytest.fixture(scope="session")
def binary() -> str:
    """The program, as FLEXCONNECT_SANDBOX names it."""
    path = os.environ.get("FLEXCONNECT_SANDBOX")
    if not path:
        pytest.fail(
            "FLEXCONNECT_SANDBOX does not name the binary: build it with `cargo build -p flexconnect-sandbox` and set "
            "FLEXCONNECT_SANDBOX to its path"
        )
    return path


@pytest.fixture(scope="module")
def endpoint(binary: str, token: str) -> Iterator[str]:
    """The base URL of a stand-in of this module's own; it has to end well."""
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--token", token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield LISTENING.match(process.stdout.readline()).group(1)
        finally:
            process.terminate()
        assert process.wait(timeout=10) == 0


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here is on this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
