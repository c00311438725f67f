"""One server under test: a real process, its folder, its addresses."""

import http.client
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.config import Config, free_ports
from harness.waiting import PATIENCE_SECONDS, wait_until

Kind = Literal["python", "ours"]

_PYTHON_MODULES = [f"compat_functions.{name}" for name in ("tables", "streams", "failures", "tasks", "inputs", "files")]
_PYTHON_PATH = Path(__file__).parent.parent / "python"
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Program:
    """How a server is started, and the Python modules that it loads: none when it has functions of its own."""

    command: list[str]
    modules: list[str]


@dataclass(frozen=True)
class Exit:
    """How a process ended: its exit code and everything it wrote."""

    code: int
    output: str


class Server:
    """A running server, of the vendor's Python package or of ours, with the same functions."""

    def __init__(self, kind: Kind, program: Program, config: Config, folder: Path) -> None:
        self.kind: Kind = kind
        self._folder = folder
        self.stage = folder / "stage"
        self.stage.mkdir(parents=True)
        self.port, self.health_port, self.metrics_port = ports = free_ports()
        self._log = folder / "log"
        main = folder / "main.toml"
        main.write_text(config.render(program.modules, self.stage, ports))
        files = [main]
        for name, text in config.files.items():
            (folder / name).write_text(text)
            if ".local." not in name:
                files.append(folder / name)
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*program.command, "--config", *map(str, files)],
                env={**environment, "PYTHONPATH": str(_PYTHON_PATH), "VIRTUAL_ENV": sys.prefix, **config.env},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __repr__(self) -> str:
        return f"{self.kind} server, pid {self.process.pid}, port {self.port}"

    def write(self, name: str, text: str) -> None:
        """Replaces one of the further files of the configuration."""
        (self._folder / name).write_text(text)

    @property
    def output(self) -> str:
        """Everything the process has written so far."""
        return self._log.read_text(errors="replace")

    @property
    def journal(self) -> list[str]:
        """What the functions noted so far, one `KEY EVENT` each."""
        journal = self.stage / "journal"
        return journal.read_text().splitlines() if journal.exists() else []

    def events(self, key: str) -> list[str]:
        """The events that the functions noted for this key."""
        return [line.removeprefix(f"{key} ") for line in self.journal if line.startswith(f"{key} ")]

    def await_events(self, key: str, *expected: str) -> list[str]:
        """Waits until the functions have noted all of these, and returns what they noted, sorted.

        A call and its cancel hook run beside each other, so there is no order between their notes.
        """
        wait_until(f"{expected} of '{key}' in {self!r}", lambda: set(expected) <= set(self.events(key)))
        return sorted(self.events(key))

    def release(self, name: str) -> None:
        """Lets go whoever waits for this file on the stage."""
        (self.stage / name).touch()

    def health(self, path: str, method: str = "GET", timeout: float = 10) -> int | None:
        """The status of the health endpoint, or nothing when nobody listens there."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=timeout)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        except ConnectionError:
            return None
        finally:
            connection.close()

    def metrics(self, path: str = "/metrics", accept: str = "*/*", method: str = "GET") -> tuple[int, str, str]:
        """Status, content type and text of the metrics endpoint."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        try:
            connection.request(method, path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()

    def await_ready(self) -> None:
        """Waits for a 2xx of `/ready`; fails at once, with the log, when the process has ended."""

        def probe() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"{self!r} ended with {self.process.returncode}:\n{self.output}")
            return self.health("/ready") == http.client.NO_CONTENT

        wait_until(f"/ready of {self!r}", probe)

    def await_health(self) -> None:
        """Waits until the health endpoint answers at all."""
        wait_until(f"health endpoint of {self!r}", lambda: self.health("/live") is not None)

    def await_exit(self) -> Exit:
        """Waits for the process to end by itself."""
        code = self.process.wait(PATIENCE_SECONDS)
        return Exit(code, self.output)

    def await_orderly_exit(self) -> None:
        """Waits for the end of a server that was asked to end, which must be code 0.

        The original misses a SIGTERM now and then (fault 50 of the protocol's list); it is then killed. Ours may not.
        """
        try:
            end = self.await_exit()
        except subprocess.TimeoutExpired:
            if self.kind != "python":
                raise
            self.discard()
        else:
            assert end.code == 0, f"{self!r} ended with {end.code}:\n{end.output}"

    def terminate(self) -> None:
        """Asks the process to end, and returns at once."""
        self.process.send_signal(signal.SIGTERM)

    def discard(self) -> None:
        """Ends the process, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def vendors() -> Program:
    """The vendor's server, from the environment that runs the tests."""
    program = Path(sys.executable).parent / "gooddata-flight-server"
    return Program([str(program), "start", "--methods-provider", "gooddata_flexconnect"], _PYTHON_MODULES)


def of_service(kind: Kind, path: str | None, module: str) -> Program:
    """A server of the Flight methods that a Python module makes."""
    program = Path(sys.executable).parent / "gooddata-flight-server" if kind == "python" else Path(path or "").resolve()
    return Program([str(program), "start", "--methods-provider", module], [])


def ours(path: str, functions: Literal["rust", "python"]) -> Program:
    """Our server: the program at this path with functions in Rust, or with those that the vendor's server has."""
    program = str(Path(path).resolve())
    if functions == "rust":
        return Program([program, "start"], [])
    return Program([program, "start", "--methods-provider", "gooddata_flexconnect"], _PYTHON_MODULES)
