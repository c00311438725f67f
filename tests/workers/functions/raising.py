"""Functions that fail in every way there is."""

from typing import Any

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ErrorInfo
from pyarrow import flight


class Unprintable(Exception):  # noqa: N818
    """Has no text."""

    def __str__(self) -> str:
        """Fails as well."""
        raise RuntimeError("no text")


def _info(**parts: Any) -> ErrorInfo:
    return ErrorInfo(msg="told", detail="why", code=1500, **parts)


def _chain() -> None:
    try:
        _raise(KeyError("inner"))
    except KeyError as error:
        raise RuntimeError("outer") from error


def _deep(left: int) -> None:
    if left:
        _deep(left - 1)
    raise ValueError("deep")


def _raise(error: BaseException) -> None:
    raise error


FAILURES = {
    "value": lambda: _raise(ValueError("not that")),
    "decode": b"\xff".decode,
    "arrow invalid": lambda: pa.array(["x"]).cast(pa.int64()),
    "empty value": lambda: _raise(ValueError()),
    "runtime": lambda: _raise(RuntimeError("broken")),
    "empty": lambda: _raise(RuntimeError()),
    "key": lambda: {}["missing"],
    "not implemented": lambda: _raise(NotImplementedError("later")),
    "timeout": lambda: _raise(TimeoutError("slow")),
    "os": lambda: open("/nowhere/at/all"),  # noqa: PTH123, SIM115
    "exit": lambda: _raise(SystemExit(3)),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "generator": lambda: _raise(GeneratorExit()),
    "unprintable": lambda: _raise(Unprintable()),
    "huge": lambda: _raise(RuntimeError("x" * 100_000_000)),
    "huge value": lambda: _raise(ValueError("\x01" * 10_000_000)),
    "surrogate": lambda: _raise(RuntimeError("\udcff")),
    "chain": _chain,
    "deep": lambda: _deep(500),
    "endless": lambda: _deep(10_000_000),
    "internal": lambda: _raise(_info().to_internal_error()),
    "timed-out": lambda: _raise(_info().to_timeout_error()),
    "cancelled": lambda: _raise(_info().to_cancelled_error()),
    "unavailable": lambda: _raise(_info().to_unavailable_error()),
    "unauthenticated": lambda: _raise(_info().to_unauthenticated_error()),
    "unauthorized": lambda: _raise(_info().to_unauthorized_error()),
    "server": lambda: _raise(_info(body=b"body").to_server_error()),
    "large info": lambda: _raise(_info(body=b"b" * 1_000_000).to_server_error()),
    "partial info": lambda: _raise(flight.FlightServerError("text", extra_info=b'{"msg":"only this"}')),
    "no info": lambda: _raise(flight.FlightUnavailableError("plain")),
    "base": lambda: _raise(flight.FlightError("basic")),
    "list": lambda: [1],
    "batch": lambda: pa.record_batch({"x": [1]}),
    "none": lambda: None,
}


class Fail(FlexConnectFunction):
    """Fails as asked."""

    Name = "Fail"
    Schema = pa.schema([("x", pa.int64())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> Any:  # noqa: ARG002
        """Raises, or returns what is no result."""
        return FAILURES[parameters["how"]]()


class Unmakeable(FlexConnectFunction):
    """Cannot be made."""

    Name = "Unmakeable"
    Schema = pa.schema([("x", pa.int64())])

    @classmethod
    def create(cls) -> "Unmakeable":
        """Fails."""
        raise RuntimeError("no object")

    def call(self, parameters: dict, columns: Any, headers: dict) -> Any:  # noqa: ARG002
        """Is never called."""
        raise AssertionError


class Abstract(FlexConnectFunction):
    """Lacks its call."""

    Name = "Abstract"
    Schema = pa.schema([("x", pa.int64())])
