"""A bare gRPC client: it shows the trailers and messages that pyarrow hides."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from harness import protobuf
from harness.caller import Header
from harness.server import Server

_TIMEOUT_SECONDS = 30.0
# Everything in the trailers that describes an error.
_ERROR_TRAILERS = (
    "x-arrow-status",
    "x-arrow-status-message-bin",
    "x-arrow-status-detail-bin",
    "grpc-status-details-bin",
)
_BYTES = {"request_serializer": None, "response_deserializer": None}
METHODS = {
    "Handshake": "stream_stream",
    "ListFlights": "unary_stream",
    "GetFlightInfo": "unary_unary",
    "PollFlightInfo": "unary_unary",
    "GetSchema": "unary_unary",
    "DoGet": "unary_stream",
    "DoPut": "stream_stream",
    "DoExchange": "stream_stream",
    "DoAction": "unary_stream",
    "ListActions": "unary_stream",
}


@dataclass(frozen=True)
class WireAnswer:
    """One call as gRPC saw it: its messages, status, the trailers that describe the error, and all other metadata."""

    status: str
    message: str
    trailers: dict[str, bytes]
    messages: tuple[bytes, ...] = field(default=(), repr=False)
    others: tuple[tuple[str, str | bytes], ...] = ()


def call(
    server: Server,
    method: str,
    request: bytes | tuple[bytes, ...] = b"",
    *headers: Header,
    compression: grpc.Compression | None = None,
    service: str = "arrow.flight.protocol.FlightService",
    shape: str | None = None,
) -> WireAnswer:
    """Calls a method with a message that is already encoded, or several where it takes a stream of them; `shape` is
    that of a method that is not Flight's.
    """
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    shape = shape or METHODS.get(method, "unary_unary")
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", unlimited) as channel:
        stub = getattr(channel, shape)(f"/{service}/{method}", **_BYTES)
        options = {"timeout": _TIMEOUT_SECONDS, "metadata": headers, "compression": compression}
        messages: Sequence[bytes] = []
        try:
            if shape == "unary_unary":
                reply, running = stub.with_call(request, **options)
                messages = [reply]
            else:
                parts = iter([request] if isinstance(request, bytes) else request)
                running = stub(parts if shape == "stream_stream" else request, **options)
                messages = []
                for reply in running:
                    messages.append(reply)
        except grpc.RpcError as error:
            running = error
        trailing = [tuple(each) for each in running.trailing_metadata() or ()]
        others = [tuple(each) for each in running.initial_metadata() or ()]
        others += [each for each in trailing if each[0] not in _ERROR_TRAILERS]
        return WireAnswer(
            running.code().name, running.details() or "", _error_trailers(trailing), tuple(messages), tuple(others)
        )


def descriptor(command: bytes) -> bytes:
    """An encoded FlightDescriptor of type CMD."""
    return protobuf.number(1, 2) + protobuf.text(2, command)


def ticket(content: bytes) -> bytes:
    """An encoded Ticket."""
    return protobuf.text(1, content)


def _error_trailers(trailing: Sequence[tuple[str, str | bytes]]) -> dict[str, bytes]:
    trailers = {}
    for name, value in trailing:
        if name in _ERROR_TRAILERS:
            assert name not in trailers, f"{name} was sent twice"
            trailers[name] = value if isinstance(value, bytes) else value.encode()
    return trailers
