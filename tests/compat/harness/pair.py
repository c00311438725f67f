"""The two servers side by side: the same question to both, and the answers compared."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from harness.server import Server

T = TypeVar("T")


@dataclass(frozen=True)
class Pair:
    """The servers of one configuration; one alone when the run asks for that."""

    servers: tuple[Server, ...]

    def ask(self, question: Callable[[Server], T]) -> dict[str, T]:
        """The answers of all servers, asked at the same time."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            return dict(zip((server.kind for server in self.servers), pool.map(question, self.servers), strict=True))

    def agree(self, question: Callable[[Server], T]) -> T:
        """The one answer that all servers give; the test goes on to say whether it is the right one."""
        answers = self.ask(question)
        if len(answers) > 1:
            assert answers["ours"] == answers["python"]
        return next(iter(answers.values()))
