"""Answers as plain values: equal when a client cannot tell them apart, whatever ids and ports are in them."""

import re
from dataclasses import dataclass, replace

import pyarrow as pa
from gooddata_flight_server import ErrorInfo
from pyarrow import flight

_TASK_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_PORT = re.compile(r":\d+$")
_DEBUG_CONTEXT = ". gRPC client debug context: "
_STATUS_WORDS = {
    "FlightServerError": "Failed",
    "FlightInternalError": "Internal",
    "FlightTimedOutError": "TimedOut",
    "FlightCancelledError": "Cancelled",
    "FlightUnavailableError": "Unavailable",
    "FlightUnauthenticatedError": "Unauthenticated",
    "FlightUnauthorizedError": "Unauthorized",
}


def mask(text: str) -> str:
    """Text with every task id replaced."""
    return _TASK_ID.sub("<task>", text)


def mask_port(address: str) -> str:
    """An address with its port replaced."""
    return _PORT.sub(":<port>", address)


@dataclass(frozen=True)
class Info:
    """The vendor's `ErrorInfo`, as its own client library reads it."""

    msg: str
    detail: str | None
    code: int
    body: bytes | None

    @classmethod
    def parse(cls, extra_info: bytes) -> "Info | None":
        """The parts of `extra_info`; nothing when it is empty."""
        if not extra_info:
            return None
        info = ErrorInfo.from_bytes(extra_info)
        return cls(mask(info.msg), info.detail, info.code, info.body)


@dataclass(frozen=True)
class Failure:
    """An exception of pyarrow: class, text, and the ErrorInfo that came with it."""

    error: str
    text: str
    info: Info | None = None

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """The failure without pyarrow's remarks on its own state."""
        text = mask(str(error)).split(_DEBUG_CONTEXT, 1)[0]
        return cls(type(error).__name__, text, Info.parse(getattr(error, "extra_info", b"") or b""))

    @property
    def code(self) -> int | None:
        """The error code with its retry flags."""
        return None if self.info is None else self.info.code

    def without_detail(self) -> "Failure":
        """The failure with everything but the diagnostic text."""
        return self if self.info is None else replace(self, info=replace(self.info, detail=None))


def failed(
    msg: str,
    code: int | None,
    error: str = "FlightServerError",
    *,
    detail: str | None = None,
    body: bytes | None = None,
) -> Failure:
    """The failure that a well-formed Flight error becomes in a client; without a code it has no ErrorInfo."""
    info = None if code is None else Info(msg, detail, code, body)
    return Failure(error, f"{msg}. Detail: {_STATUS_WORDS[error]}", info)


def bad_argument(msg: str) -> Failure:
    """The failure for input that the server refuses."""
    return failed(msg, 1)


@dataclass(frozen=True)
class Column:
    """A field of a schema, its metadata without order."""

    name: str
    type: str
    nullable: bool
    metadata: frozenset[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Schema:
    """A schema with all its metadata, in a form that compares and prints."""

    columns: tuple[Column, ...]
    metadata: frozenset[tuple[bytes, bytes]] = frozenset()

    @classmethod
    def of(cls, schema: pa.Schema) -> "Schema":
        """The described schema."""
        columns = (Column(f.name, str(f.type), f.nullable, _pairs(f.metadata)) for f in schema)
        return cls(tuple(columns), _pairs(schema.metadata))


def _pairs(metadata: dict[bytes, bytes] | None) -> frozenset[tuple[bytes, bytes]]:
    return frozenset((metadata or {}).items())


@dataclass(frozen=True)
class Endpoint:
    """Where a result can be read: the ticket without its id, the locations without their ports."""

    ticket: str
    locations: tuple[str, ...]
    expires: bool
    app_metadata: bytes


@dataclass(frozen=True)
class FlightAnswer:
    """A FlightInfo, field by field."""

    schema: Schema
    descriptor: tuple[str, bytes | None]
    endpoints: tuple[Endpoint, ...]
    totals: tuple[int, int]
    ordered: bool
    app_metadata: bytes

    @classmethod
    def of(cls, info: flight.FlightInfo) -> "FlightAnswer":
        """The described FlightInfo."""
        return cls(
            Schema.of(info.schema),
            (info.descriptor.descriptor_type.name, info.descriptor.command),
            tuple(
                Endpoint(
                    mask(each.ticket.ticket.decode()),
                    tuple(mask_port(location.uri.decode()) for location in each.locations),
                    each.expiration_time is not None,
                    each.app_metadata,
                )
                for each in info.endpoints
            ),
            (info.total_records, info.total_bytes),
            info.ordered,
            info.app_metadata,
        )


@dataclass(frozen=True)
class Rows:
    """What a DoGet streamed: its schema, the rows and metadata of each batch, and how it broke off, if it did."""

    schema: Schema
    lengths: tuple[int, ...]
    table: pa.Table
    failure: Failure | None = None
    app_metadata: tuple[bytes | None, ...] = ()

    @property
    def rows(self) -> list[tuple]:
        """The rows as tuples of Python values."""
        return [tuple(row.values()) for row in self.table.to_pylist()]
