"""What a client sees of one call, all of it, in a form that compares whatever ids and ports are in it."""

import json
from dataclasses import dataclass, field, replace

import pyarrow as pa
from gooddata_flight_server import RetryInfo
from harness import protobuf
from harness.answers import FlightAnswer, Info, Rows, Schema, mask
from harness.caller import POLL_CODE
from pyarrow import flight


@dataclass(frozen=True)
class Seen:
    """One answer. What a client cannot see of it is empty."""

    status: str
    """The gRPC status, or the class of the exception."""
    message: str = ""
    info: Info | None = None
    trailers: frozenset[tuple[str, bytes]] = frozenset()
    """What describes the error beside the ErrorInfo."""
    others: frozenset[tuple[str, str | bytes]] = frozenset()
    """All other metadata, sent before the messages or behind them."""
    answer: object = ()
    """The messages, read as the client reads them."""
    task: str | None = field(default=None, compare=False)
    """The task that the answer speaks of."""
    again: bytes | None = field(default=None, compare=False)
    """The descriptor to ask with again, while there is no other answer yet."""

    @property
    def code(self) -> int | None:
        """The code of the ErrorInfo."""
        return self.info and self.info.code

    @property
    def shows_inside(self) -> bool:
        """Whether the client is shown where in the program it happened."""
        return "Traceback" in repr(self)

    def apart(self, other: "Seen") -> set[str]:
        """The names of the parts in which two answers differ."""
        parts = ("status", "message", "info", "trailers", "others", "answer")
        return {part for part in parts if getattr(self, part) != getattr(other, part)}


@dataclass(frozen=True)
class Waiting:
    """What a client knows of a task that is under way."""

    task: str | None = None
    again: bytes | None = None


_OVER = Waiting()


def read_info(info: Info | None) -> tuple[Info | None, Waiting]:
    """The ErrorInfo with the ids in it masked, and what it says of a task that is still under way."""
    if info is None or info.code != POLL_CODE or info.body is None:
        return info, _OVER
    retry = RetryInfo.from_bytes(info.body)
    descriptors = [each.command.decode() for each in (retry.retry_descriptor, retry.cancel_descriptor)]
    told = f"{retry.flight_info} {' '.join(map(mask, descriptors))}"
    waiting = Waiting(descriptors[0].removeprefix("r:"), retry.retry_descriptor.serialize())
    return replace(info, body=told.encode()), waiting


@dataclass(frozen=True)
class Data:
    """A DoGet, message by message: kind, which fields there are, and the metadata of the application."""

    messages: tuple[tuple[str, tuple[int, ...], bytes], ...]
    schema: Schema
    table: pa.Table
    lengths: tuple[int, ...]


def read_messages(rpc: str, messages: tuple[bytes, ...]) -> tuple[object, Waiting]:
    """The messages of an answer in plain values, and the task that they speak of."""
    match rpc:
        case "GetFlightInfo" | "ListFlights":
            return tuple(map(_flight, messages)), Waiting(_task(messages))
        case "PollFlightInfo" if messages:
            info, again = (protobuf.first(messages[0], number) for number in (1, 2))
            return ((), Waiting(None, again)) if again else (_flight(info), Waiting(_task((info,))))
        case "GetSchema":
            return tuple(_schema(protobuf.first(message, 1)) for message in messages), _OVER
        case "DoGet":
            return _data(messages), _OVER
        case _:
            return messages, _OVER


def _flight(message: bytes) -> tuple[FlightAnswer, tuple[int, ...], bool]:
    """A FlightInfo, the fields that are set on the wire, and whether its schema is an encapsulated message."""
    schema = protobuf.first(message, 1)
    encapsulated = schema[:4] == b"\xff\xff\xff\xff" and len(schema) == 8 + int.from_bytes(schema[4:8], "little")
    fields = tuple(number for number, _ in protobuf.fields(message))
    return FlightAnswer.of(flight.FlightInfo.deserialize(message)), fields, encapsulated


def _schema(encapsulated: bytes) -> Schema:
    return Schema.of(pa.ipc.read_schema(pa.py_buffer(encapsulated)))


def _task(infos: tuple[bytes, ...]) -> str | None:
    if len(infos) != 1:
        return None
    return task_of(flight.FlightInfo.deserialize(infos[0]))


def task_of(info: flight.FlightInfo) -> str | None:
    """The id in the ticket, which clients should not look at."""
    return json.loads(info.endpoints[0].ticket.ticket)["task_id"] if info.endpoints else None


def _data(messages: tuple[bytes, ...]) -> Data | tuple[()]:
    if not messages:
        return ()
    kinds, stream = [], bytearray()
    for message in messages:
        header, body = protobuf.first(message, 2), protobuf.first(message, 1000) or b""
        padded = header + b"\x00" * (-len(header) % 8)
        encapsulated = b"\xff\xff\xff\xff" + len(padded).to_bytes(4, "little") + padded + body
        fields = tuple(number for number, value in protobuf.fields(message) if value)
        kinds.append((pa.ipc.read_message(encapsulated).type, fields, protobuf.first(message, 3) or b""))
        stream += encapsulated
    with pa.ipc.open_stream(bytes(stream)) as reader:
        batches = list(reader)
        schema = reader.schema
    table = pa.Table.from_batches(batches, schema)
    table.validate(full=True)
    return Data(tuple(kinds), Schema.of(schema), table, tuple(batch.num_rows for batch in batches))


def read_rows(rows: Rows) -> object:
    """What came of a DoGet, without how it broke off."""
    return rows.schema, rows.lengths, rows.app_metadata, rows.table
