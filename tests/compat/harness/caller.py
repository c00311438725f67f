"""The pyarrow client, with every answer as a plain value and every exception caught."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from gooddata_flight_server import RetryInfo
from pyarrow import flight

from harness.answers import Failure, FlightAnswer, Info, Rows, Schema
from harness.certificates import Leaf
from harness.server import Server

Header = tuple[str, str]

POLLABLE: Header = ("x-quiver-pollable", "true")
POLL_CODE = 65637
_TIMEOUT_SECONDS = 30.0
# What pyarrow raises for a status; anything else is a bug of the tests.
ERRORS = (flight.FlightError, pa.ArrowException, OSError)


def command(function: str, /, **parameters: Any) -> bytes:
    """The command that calls a function."""
    return json.dumps({"functionName": function, "parameters": parameters}, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Trust:
    """What a client of a TLS server knows: the CA that it trusts, and its own certificate."""

    root: str
    leaf: Leaf | None = None


@dataclass(frozen=True)
class Pending:
    """A task under way: the descriptors to ask again and to cancel, and how the answer looked to the client."""

    retry: flight.FlightDescriptor
    cancel: flight.FlightDescriptor
    failure: Failure

    @property
    def task_id(self) -> str:
        """The id inside of the descriptors, which clients should not look at."""
        return self.retry.command.removeprefix(b"r:").decode()


class Caller:
    """Calls one server; each method returns what came or a `Failure`."""

    def __init__(
        self,
        server: Server,
        *headers: Header,
        trust: Trust | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._port = server.port
        self._headers = headers
        self._trust = trust
        self._timeout = timeout

    def pollable(self) -> "PollingCaller":
        """The same caller with the header that turns polling on."""
        return PollingCaller(self)

    def connect(self) -> flight.FlightClient:
        """A fresh connection, to be closed by the caller."""
        if self._trust is None:
            return flight.connect(f"grpc://127.0.0.1:{self._port}")
        leaf = self._trust.leaf
        return flight.connect(
            f"grpc+tls://localhost:{self._port}",
            tls_root_certs=self._trust.root,
            cert_chain=leaf and leaf.certificate,
            private_key=leaf and leaf.key,
        )

    def options(self, *further: Header) -> flight.FlightCallOptions:
        """The options of one call."""
        headers = [(name.encode(), value.encode()) for name, value in (*self._headers, *further)]
        return flight.FlightCallOptions(timeout=self._timeout, headers=headers)

    def flights(self, criteria: bytes = b"") -> list[FlightAnswer] | Failure:
        """ListFlights."""
        with self.connect() as client:
            try:
                return [FlightAnswer.of(info) for info in client.list_flights(criteria, self.options())]
            except ERRORS as error:
                return Failure.of(error)

    def raw_info(self, descriptor: bytes | flight.FlightDescriptor, *further: Header) -> flight.FlightInfo:
        """GetFlightInfo, its exceptions left alone."""
        if isinstance(descriptor, bytes):
            descriptor = flight.FlightDescriptor.for_command(descriptor)
        with self.connect() as client:
            return client.get_flight_info(descriptor, self.options(*further))

    def info(self, descriptor: bytes | flight.FlightDescriptor, *further: Header) -> FlightAnswer | Failure:
        """GetFlightInfo."""
        try:
            return FlightAnswer.of(self.raw_info(descriptor, *further))
        except ERRORS as error:
            return Failure.of(error)

    def submit(self, descriptor: bytes) -> bytes:
        """The ticket of a call that is known to succeed."""
        return self.raw_info(descriptor).endpoints[0].ticket.ticket

    def read(self, ticket: bytes) -> Rows | Failure:
        """DoGet to the end, or to where it breaks off."""
        with self.connect() as client:
            try:
                reader = client.do_get(flight.Ticket(ticket), self.options())
            except ERRORS as error:
                return Failure.of(error)
            return _drain(reader)

    def call(self, function: str, /, **parameters: Any) -> Rows | Failure:
        """GetFlightInfo, and DoGet of its ticket."""
        try:
            ticket = self.submit(command(function, **parameters))
        except ERRORS as error:
            return Failure.of(error)
        return self.read(ticket)

    def pairs(self, function: str, /, **parameters: Any) -> dict[str, Any] | Failure:
        """A call of a function that answers with keys and JSON texts."""
        rows = self.call(function, **parameters)
        return rows if isinstance(rows, Failure) else {key: json.loads(value) for key, value in rows.rows}


class PollingCaller:
    """Calls with the polling header."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def info(self, descriptor: bytes | flight.FlightDescriptor) -> FlightAnswer | Failure | Pending:
        """GetFlightInfo; a task that is still running is `Pending`."""
        try:
            return FlightAnswer.of(self._caller.raw_info(descriptor, POLLABLE))
        except flight.FlightTimedOutError as error:
            failure = Failure.of(error)
            if failure.code != POLL_CODE:
                return failure
            retry = RetryInfo.from_bytes(failure.info.body)
            assert retry.flight_info is None
            masked = Failure(
                failure.error, failure.text, Info(failure.info.msg, failure.info.detail, POLL_CODE, b"<retry info>")
            )
            return Pending(retry.retry_descriptor, retry.cancel_descriptor, masked)
        except ERRORS as error:
            return Failure.of(error)

    def start(self, function: str, /, **parameters: Any) -> Pending:
        """Submits a call that is known to take longer than the first wait."""
        pending = self.info(command(function, **parameters))
        assert isinstance(pending, Pending), pending
        return pending

    def finish(self, pending: Pending) -> FlightAnswer | Failure:
        """Asks again until the task has ended."""
        while isinstance(answer := self.info(pending.retry), Pending):
            pass
        return answer


def _drain(reader: flight.FlightStreamReader) -> Rows:
    schema = reader.schema
    chunks: list[flight.FlightStreamChunk] = []
    failure = None
    try:
        chunks.extend(_chunks(reader))
    except ERRORS as error:
        failure = Failure.of(error)
    table = pa.Table.from_batches([chunk.data for chunk in chunks], schema)
    metadata = tuple(chunk.app_metadata and chunk.app_metadata.to_pybytes() for chunk in chunks)
    return Rows(Schema.of(schema), tuple(chunk.data.num_rows for chunk in chunks), table, failure, metadata)


def _chunks(reader: flight.FlightStreamReader) -> Iterable[flight.FlightStreamChunk]:
    while True:
        try:
            yield reader.read_chunk()
        except StopIteration:
            return
