"""What one of the servers is meant to answer otherwise than the other, for all cases that it is about."""

from collections.abc import Callable
from dataclasses import dataclass

from matrix.axes import Case, Client
from matrix.seen import Seen

Face = tuple[str, int | None]
"""A gRPC status and the code of the ErrorInfo."""

_CLASSES = {
    "OK": "OK",
    "UNKNOWN": "FlightServerError",
    "INTERNAL": "FlightInternalError",
    "DEADLINE_EXCEEDED": "FlightTimedOutError",
    "CANCELLED": "FlightCancelledError",
    "UNAVAILABLE": "FlightUnavailableError",
    "UNAUTHENTICATED": "FlightUnauthenticatedError",
    "PERMISSION_DENIED": "FlightUnauthorizedError",
    "INVALID_ARGUMENT": "ArrowInvalid",
    "UNIMPLEMENTED": "ArrowNotImplementedError",
}


@dataclass(frozen=True)
class Deviation:
    """A difference that is meant to be there. What it does not name is alike."""

    fault: int | None
    """The number of the fault of the original, if it is one."""
    title: str
    covers: Callable[[Case], bool]
    parts: frozenset[str]
    """The parts of an answer that differ, all of them or some."""
    python: Face | None = None
    """Status and code of the original, where they are not those that the question names."""
    inside: bool = False
    """Whether the original shows its inside."""


def face(case: Case, status: str, code: int | None) -> Face:
    """How the client of a case sees a status and a code."""
    if case.client is Client.RAW:
        return status, code
    if case.question.rpc == "GetSchema" and _CLASSES[status].startswith("Flight"):
        # pyarrow loses the ErrorInfo there, and the class.
        return "OSError", None
    return _CLASSES[status], code


def seen_face(seen: Seen) -> Face:
    """What the client saw of status and code."""
    return seen.status, seen.code
