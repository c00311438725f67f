"""What a function raised, as the fields of an `error` packet."""

from typing import Any

import pyarrow as pa
from pyarrow import flight

from flexconnect_worker.packet import Head
from flexconnect_worker.worker.text import describe, loads, trace

BAD_ARGUMENT = 1
COMMAND_FAILED = 5
COMMAND_CANCELLED = 6

_KINDS: list[tuple[type[BaseException], str]] = [
    (flight.FlightInternalError, "internal"),
    (flight.FlightUnauthenticatedError, "unauthenticated"),
    (flight.FlightUnauthorizedError, "unauthorized"),
    (flight.FlightUnavailableError, "unavailable"),
    (flight.FlightTimedOutError, "timed-out"),
    (flight.FlightCancelledError, "cancelled"),
    (flight.FlightServerError, "server"),
]
_FAILED = "There was an error while running task"
_NO_INFO = "Call failed with error that does not contain ErrorInfo. The error message was: "
_LARGEST_INFO = 32_768


class Cancelled(Exception):  # noqa: N818
    """The task was cancelled before its function could notice."""


def failure(error: BaseException, task: str, cancelled: bool) -> tuple[Head, bytes]:
    """The head and the body of the packet that tells of a failure."""
    if isinstance(error, Cancelled) or (cancelled and not isinstance(error, flight.FlightError)):
        text = f"FlexConnect function invocation was cancelled. Invocation task was: '{task}'."
        return _head("cancelled", COMMAND_CANCELLED, text, error), b""
    if isinstance(error, flight.FlightError):
        return _flight(error)
    if isinstance(error, ValueError):
        return _head("server", BAD_ARGUMENT, describe(error), error), b""
    text = describe(error)
    if not isinstance(error, Exception):
        text = f"the function raised {type(error).__name__}{f' ({text})' if text else ''}, which would end its process"
    message = f"{_FAILED}: {text}" if text else f"{_FAILED}."
    return _head("server", COMMAND_FAILED, message, error), b""


def bad_argument(message: str) -> tuple[Head, bytes]:
    """The failure for a call that cannot be right."""
    return _head("server", BAD_ARGUMENT, message, None), b""


def _flight(error: flight.FlightError) -> tuple[Head, bytes]:
    kind = next((kind for type_, kind in _KINDS if isinstance(error, type_)), "none")
    info = getattr(error, "extra_info", None)
    carried = bytes(info) if isinstance(info, (bytes, bytearray, memoryview, pa.Buffer)) else b""
    parsed = _info(carried)
    if parsed is None:
        return _head(kind, 0, _NO_INFO + describe(error), error), b""
    code, message, detail = parsed.get("code"), parsed.get("msg"), parsed.get("detail")
    head = _head(kind, code if isinstance(code, int) else 0, describe(message) if message else "", error)
    head["detail"] = describe(detail) if detail else None
    return head, carried if len(carried) <= _LARGEST_INFO else b""


def _info(carried: bytes) -> dict[str, Any] | None:
    try:
        parsed = loads(carried) if carried else None
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _head(kind: str, code: int, message: str, error: BaseException | None) -> Head:
    head: Head = {"op": "error", "kind": kind, "code": code, "message": message, "detail": None}
    head["traceback"] = trace(error) if error is not None else None
    return head
