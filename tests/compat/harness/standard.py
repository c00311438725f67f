"""What the Flight standard has beside the polling of GoodData, and pyarrow's client does not: spoken byte by byte."""

from dataclasses import dataclass

import pyarrow as pa
from pyarrow import flight

from harness import protobuf, wire
from harness.answers import FlightAnswer, Info, Schema
from harness.server import Server
from harness.wire import WireAnswer

Refused = tuple[str, int | None]
"""The status of a call, and the code of its ErrorInfo."""

CANCELLED, CANCELLING = 1, 2


@dataclass(frozen=True)
class Poll:
    """A PollInfo: what there is so far, where to ask again unless all is there, and whether it ends some time."""

    info: bytes
    again: bytes | None
    expires: bool

    @property
    def flight(self) -> FlightAnswer:
        """The FlightInfo, field by field."""
        return FlightAnswer.of(flight.FlightInfo.deserialize(self.info))


def refusal(answer: WireAnswer) -> Refused:
    """Status and code of an answer that is an error."""
    return answer.status, (info := info_of(answer)) and info.code


def info_of(answer: WireAnswer) -> Info | None:
    """The ErrorInfo of an answer."""
    return Info.parse(answer.trailers.get("grpc-status-details-bin", b""))


def schema(server: Server, descriptor: bytes) -> Schema | Refused:
    """GetSchema of an encoded descriptor."""
    answer = wire.call(server, "GetSchema", descriptor)
    if answer.status != "OK":
        return refusal(answer)
    return Schema.of(pa.ipc.read_schema(pa.py_buffer(protobuf.first(answer.messages[0], 1))))


def poll(server: Server, descriptor: bytes) -> Poll | Refused:
    """PollFlightInfo of an encoded descriptor."""
    answer = wire.call(server, "PollFlightInfo", descriptor)
    if answer.status != "OK":
        return refusal(answer)
    info, again, expires = (protobuf.first(answer.messages[0], number) for number in (1, 2, 4))
    return Poll(info, again, expires is not None)


def finish(server: Server, polled: Poll | Refused) -> Poll | Refused:
    """Asks again until there is nothing to ask for."""
    while isinstance(polled, Poll) and polled.again is not None:
        polled = poll(server, polled.again)
    return polled


def act(server: Server, action: str, body: bytes) -> bytes | Refused:
    """The one answer of an action."""
    request = protobuf.text(1, action.encode()) + protobuf.text(2, body)
    answer = wire.call(server, "DoAction", request)
    if answer.status != "OK":
        return refusal(answer)
    (result,) = answer.messages
    return protobuf.first(result, 1)


def cancel(server: Server, info: bytes) -> int | Refused:
    """CancelFlightInfo; the status that it tells."""
    answer = act(server, "CancelFlightInfo", protobuf.text(1, info))
    return protobuf.first(answer, 1) if isinstance(answer, bytes) else answer


def renew(server: Server, endpoint: flight.FlightEndpoint) -> flight.FlightEndpoint | Refused:
    """RenewFlightEndpoint."""
    answer = act(server, "RenewFlightEndpoint", protobuf.text(1, endpoint.serialize()))
    return flight.FlightEndpoint.deserialize(answer) if isinstance(answer, bytes) else answer


def actions(server: Server) -> list[str] | Refused:
    """The names that ListActions shows."""
    answer = wire.call(server, "ListActions")
    if answer.status != "OK":
        return refusal(answer)
    return [protobuf.first(action, 1).decode() for action in answer.messages]


def health(server: Server, service: str) -> int | Refused:
    """The status that gRPC's own health service tells of a service; 1 is serving."""
    request = protobuf.text(1, service.encode())
    answer = wire.call(server, "Check", request, service="grpc.health.v1.Health")
    return protobuf.first(answer.messages[0], 1) if answer.status == "OK" else refusal(answer)
