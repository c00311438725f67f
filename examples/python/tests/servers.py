"""Servers for tests: a real process, and calls to it as GoodData makes them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pytest
from pyarrow import flight

_PATIENCE_SECONDS = 30


def find(program: str) -> list[str]:
    """The command that starts one of the two servers; a missing one is an error that tells how to get it."""
    if program == "flexconnect-server":
        found = os.environ.get("FLEXCONNECT_SERVER") or shutil.which(program)
        if not found or not os.access(found, os.X_OK):
            pytest.fail(
                f"{program} is missing: `cargo build --release -p flexconnect-server` in a clone of FlexConnect "
                "makes target/release/flexconnect-server; put it in the PATH, or set FLEXCONNECT_SERVER to it",
                pytrace=False,
            )
        return [str(Path(found).resolve())]
    # It comes with gooddata-flexconnect, into the environment that runs the tests.
    return [str(Path(sys.executable).parent / program)]


class Server:
    """A running server; the `with` that holds it ends it."""

    def __init__(
        self,
        command: Sequence[str],
        config: Sequence[Path],
        *sources: Path,
        cwd: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        port, self._health_port = _free_ports(2)
        self._address = f"grpc://127.0.0.1:{port}"
        self._log = folder / "log"
        self._is_original = Path(command[0]).name == "gooddata-flight-server"
        own = {
            "PYTHONPATH": os.pathsep.join(map(str, sources)),
            "VIRTUAL_ENV": sys.prefix,
            "GOODDATA_FLIGHT_SERVER__LISTEN_PORT": str(port),
            "GOODDATA_FLIGHT_SERVER__ADVERTISE_PORT": str(port),
            "GOODDATA_FLIGHT_SERVER__HEALTH_CHECK_PORT": str(self._health_port),
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "start", "--methods-provider", "gooddata_flexconnect", "--config", *map(str, config)],
                env={**os.environ, **own, **(environment or {})},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        try:
            self._await_ready()
        except BaseException:
            self._end()
            raise
        self._client = flight.connect(self._address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self._end()

    @property
    def log(self) -> str:
        """All that the server has written."""
        return self._log.read_text(errors="replace")

    def functions(self) -> dict[str, pa.Schema]:
        """The functions and their schemas."""
        flights = self._client.list_flights()
        return {json.loads(one.descriptor.command)["functionName"]: one.schema for one in flights}

    def stream(
        self, function: str, columns: Sequence[str] = (), timeout: float | None = None, **parameters: Any
    ) -> flight.FlightStreamReader:
        """Calls a function, waits at most so many seconds for its result, and returns what reads its rows."""
        if columns:
            parameters["columns"] = list(columns)
        command = json.dumps({"functionName": function, "parameters": parameters})
        descriptor = flight.FlightDescriptor.for_command(command)
        info = self._client.get_flight_info(descriptor, flight.FlightCallOptions(timeout=timeout))
        return self._client.do_get(info.endpoints[0].ticket)

    def call(
        self, function: str, columns: Sequence[str] = (), timeout: float | None = None, **parameters: Any
    ) -> pa.Table:
        """Calls a function, and reads all its rows."""
        return self.stream(function, columns, timeout, **parameters).read_all()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None:
                pytest.fail(f"the server ended with {self._process.returncode}:\n{self.log}", pytrace=False)
            if time.monotonic() > deadline:
                pytest.fail(f"the server is not ready after {_PATIENCE_SECONDS} s:\n{self.log}", pytrace=False)
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/ready", timeout=5):
                return True
        except OSError:  # nobody listens yet, or the answer is 500
            return False

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            # The vendor's misses the signal now and then.
            if not self._is_original:
                raise


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
