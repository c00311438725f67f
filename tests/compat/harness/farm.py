"""Starts servers and sees to it that all of them end well."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.config import Config
from harness.pair import Pair
from harness.server import Exit, Kind, Program, Server
from harness.waiting import PATIENCE_SECONDS


class Farm:
    """All servers of a test run."""

    def __init__(self, programs: dict[Kind, Program], folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._running: list[Server] = []

    def launch(self, name: str, config: Config) -> Pair:
        """Starts a server of each kind and waits for nothing; `name` is unique in the test run."""
        servers = tuple(
            Server(kind, program, config, self._folder / name / kind) for kind, program in self._programs.items()
        )
        self._running += servers
        return Pair(servers)

    def start(self, name: str, config: Config) -> Pair:
        """Starts a server of each kind and waits until both are ready."""
        pair = self.launch(name, config)
        pair.ask(Server.await_ready)
        return pair

    def run(self, name: str, config: Config) -> dict[Kind, Exit]:
        """Starts servers that end by themselves."""
        return self.await_end(self.launch(name, config))

    def await_end(self, pair: Pair) -> dict[Kind, Exit]:
        """Waits for servers that end by themselves."""
        exits = pair.ask(Server.await_exit)
        self.forget(pair)
        return exits

    def run_command(self, arguments: list[str]) -> dict[Kind, Exit]:
        """Runs `start` with these arguments, where they are such that it ends by itself."""
        exits: dict[Kind, Exit] = {}
        for kind, program in self._programs.items():
            done = subprocess.run(
                [*program.command, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
            )
            exits[kind] = Exit(done.returncode, done.stdout + done.stderr)
        return exits

    def stop_running(self, pair: Pair) -> None:
        """Ends those of the servers that started, which must go well."""
        running = [server for server in pair.servers if server.process.poll() is None]
        for server in running:
            server.terminate()
        for server in running:
            server.await_orderly_exit()
        self.forget(pair)

    def stop(self, pair: Pair) -> dict[Kind, Exit]:
        """Ends both servers as Kubernetes does, and tells how that went."""
        pair.ask(Server.terminate)
        return self.await_end(pair)

    def forget(self, pair: Pair) -> None:
        """Leaves it to the test what becomes of these servers, or what has."""
        self._running = [server for server in self._running if server not in pair.servers]
        for server in pair.servers:
            server.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends what still runs; a server that does not end with 0 is an error of the run."""
        for server in self._running:
            server.terminate()
        try:
            with ThreadPoolExecutor(max(1, len(self._running))) as pool:
                list(pool.map(Server.await_orderly_exit, self._running))
        finally:
            for server in self._running:
                server.discard()
