"""Queries through the stand-in against the original server, unchanged: what it calls a legal query is one."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.timeout(90)

Ask = Callable[..., requests.Response]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The original server with one function; yields what a data source needs to reach it."""
    port, token = free_port(), secrets.token_hex()
    settings = {
        "SERVER__LISTEN_PORT": str(port),
        "SERVER__ADVERTISE_HOST": "127.0.0.1",
        "SERVER__AUTHENTICATION_METHOD": "token",
        "ENUMERATED_TOKENS__TOKENS": f'["{token}"]',
        "FLEXCONNECT__FUNCTIONS": '["echo"]',
        "FLEXCONNECT__POLLING_INTERVAL_MS": "200",
    }
    environment = os.environ | {f"GOODDATA_FLIGHT_{name}": value for name, value in settings.items()}
    environment["PYTHONPATH"] = str(Path(__file__).parent / "functions")
    program = Path(sys.executable).parent / "gooddata-flight-server"
    command = [program, "start", "--methods-provider", "gooddata_flexconnect"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield {"url": f"grpc://127.0.0.1:{port}", "token": token}
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def ask(endpoint: str, token: str, server: dict[str, str]) -> Ask:
    """Asks the function `Echo` through a data source that the stand-in found in order."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"
    attributes = {"name": "Echo", "type": "FLEXCONNECT", "schema": "", **server}
    document = {"data": {"id": "echo", "type": "dataSource", "attributes": attributes}}
    assert session.post(f"{endpoint}/api/v1/entities/dataSources", json=document).status_code == 201
    deadline = time.monotonic() + 60
    while True:
        tested = session.post(f"{endpoint}/api/v1/actions/dataSources/echo/test", json={}).json()
        if tested["successful"]:
            break
        assert time.monotonic() < deadline, tested["error"]
        time.sleep(0.1)

    def ask(**query: Any) -> requests.Response:
        return session.post(f"{endpoint}/sandbox/dataSources/echo/query", json={"function": "Echo"} | query)

    return ask


def test_every_filter_is_one_that_the_original_reads(ask: Ask):
    filters = [
        {"filterType": "positiveAttributeFilter", "labelIdentifier": "region", "values": ["EMEA", None]},
        {"filterType": "negativeAttributeFilter", "labelIdentifier": "region", "values": []},
        {
            "filterType": "matchAttributeFilter",
            "labelIdentifier": "region",
            "matchType": "CONTAINS",
            "literal": "x",
        },
        {
            "filterType": "relativeDateFilter",
            "datasetIdentifier": "date",
            "granularity": "DAY",
            "from": -6,
            "to": 0,
        },
        {
            "filterType": "absoluteDateFilter",
            "datasetIdentifier": "date",
            "from": "2025-01-01",
            "to": "2025-01-31",
        },
    ]
    answer = ask(filters=filters, columns=["filter"]).json()
    assert answer["rows"] == [
        ["ExecutionContextPositiveAttributeFilter"],
        ["ExecutionContextNegativeAttributeFilter"],
        ["ExecutionContextMatchAttributeFilter"],
        ["ExecutionContextRelativeDateFilter"],
        ["ExecutionContextAbsoluteDateFilter"],
    ], answer


def test_polls_until_the_result_is_there(ask: Ask):
    anything = [{"filterType": "negativeAttributeFilter", "labelIdentifier": "region", "values": []}]
    answer = ask(parameters={"seconds": 0.7}, filters=anything, columns=["pollable"]).json()
    assert answer["rows"] == [[True]], answer
    assert answer["milliseconds"] >= 700


def test_gives_up_when_the_time_is_over(ask: Ask):
    answer = ask(parameters={"seconds": 3}, timeoutSeconds=1)
    assert answer.status_code == 502
    assert "did not answer within 1s" in answer.json()["detail"]


def test_passes_on_what_the_function_refuses(ask: Ask):
    problem = ask(parameters={"refuse": "the region is unknown"}).json()
    assert (problem["status"], problem["code"]) == (502, 1)
    assert "the region is unknown" in problem["detail"]


def test_names_an_unknown_function(ask: Ask):
    problem = ask(function="Missing").json()
    assert "Unsupported FlexConnect function 'Missing'" in problem["detail"]
