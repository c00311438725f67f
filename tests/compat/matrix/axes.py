"""The axes of the matrix, and what one of its cases is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from harness.caller import Caller, Header
from harness.server import Server

Request = bytes | tuple[bytes, ...]
"""The encoded message of a call, or those of a call that streams them."""


_BAD_ARGUMENT, _CANCELLED = 1, 6


class Client(Enum):
    """Who asks: the library that GoodData has, or gRPC alone, which sees all that it hides."""

    PYARROW = "pyarrow"
    RAW = "raw gRPC"


class Mode(Enum):
    """How a call is waited for."""

    PLAIN = "plain"
    POLLED = "polled"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Access:
    """What a caller shows of itself, and to which servers."""

    title: str
    on: str
    """The fixture with servers that ask for this kind of proof, unless the question needs servers of its own."""
    headers: tuple[Header, ...] = ()
    admitted: bool = True

    def __str__(self) -> str:
        return self.title


@dataclass(frozen=True)
class Question:
    """One thing to ask of one method, and how it ends where the contract is kept."""

    rpc: str
    title: str
    request: Callable[[Server, Caller], Request]
    """Prepares what has to be there, and returns what is sent."""
    status: str = "OK"
    code: int | None = None
    """The code of the ErrorInfo."""
    on: str = "plain"
    modes: tuple[Mode, ...] = (Mode.PLAIN,)
    clients: tuple[Client, ...] = tuple(Client)
    about: str = ""
    """What it is about, for those differences that many questions share."""
    slow: bool = False
    """Whether it takes longer than the first wait of a caller that polls."""
    representative: bool = False
    """Whether it stands for its method where the rest would only say the same again."""

    def __str__(self) -> str:
        return f"{self.rpc}: {self.title}"


@dataclass(frozen=True)
class Case:
    """A point of the matrix."""

    question: Question
    access: Access
    mode: Mode
    client: Client

    def __str__(self) -> str:
        return " | ".join((str(self.question), str(self.access), self.mode.value, self.client.value))

    @property
    def on(self) -> str:
        """The fixture with the servers that are asked."""
        return self.question.on if self.question.on != "plain" else self.access.on

    @property
    def ends(self) -> tuple[str, int | None]:
        """Status and code of the last answer."""
        if not self.access.admitted:
            return "UNAUTHENTICATED", None
        if self.mode is not Mode.CANCELLED:
            return self.question.status, self.question.code
        # A task that is over when it is cancelled is forgotten; one that is not is known to be cancelled.
        return "UNKNOWN", _CANCELLED if self.question.slow else _BAD_ARGUMENT
