"""Starts servers and sees to it that all of them end well."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.config import Config
from harness.pair import Pair
from harness.server import Exit, Kind, Server


class Farm:
    """All servers of a test run."""

    def __init__(self, commands: dict[Kind, list[str]], folder: Path) -> None:
        self._commands = commands
        self._folder = folder
        self._running: list[Server] = []

    def launch(self, name: str, config: Config) -> Pair:
        """Starts a server of each kind and waits for nothing; `name` is unique in the test run."""
        servers = tuple(
            Server(kind, command, config, self._folder / name / kind) for kind, command in self._commands.items()
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
        pair = self.launch(name, config)
        exits = pair.ask(Server.await_exit)
        self.forget(pair)
        return exits

    def stop(self, pair: Pair) -> dict[Kind, Exit]:
        """Ends both servers as Kubernetes does, and tells how that went."""
        pair.ask(Server.terminate)
        exits = pair.ask(Server.await_exit)
        self.forget(pair)
        return exits

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
                exits = list(pool.map(Server.await_exit, self._running))
        finally:
            for server in self._running:
                server.discard()
        for server, end in zip(self._running, exits, strict=True):
            assert end.code == 0, f"{server!r} ended with {end.code}:\n{end.output}"
