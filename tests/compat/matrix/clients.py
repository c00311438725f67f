"""The two clients: each sends an encoded request by any method, and tells all that it saw."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable

import pyarrow as pa
from harness import protobuf, wire
from harness.answers import Failure, FlightAnswer, Info, Rows, Schema, mask
from harness.caller import ERRORS, Caller, Header
from harness.server import Server
from pyarrow import flight

from matrix.axes import Client, Request
from matrix.seen import Seen, read_info, read_messages, read_rows, task_of

_DETAILS = "grpc-status-details-bin"
_COLUMN = pa.schema([("id", pa.int64())])


def ask(client: Client, server: Server, rpc: str, request: Request, *headers: Header) -> Seen:
    """One call."""
    match client:
        case Client.RAW:
            return _ask_raw(server, rpc, request, *headers)
        case Client.PYARROW:
            return _ask_pyarrow(server, rpc, request, *headers)


def _ask_raw(server: Server, rpc: str, request: Request, *headers: Header) -> Seen:
    answer = wire.call(server, rpc, request, *headers)
    details = answer.trailers.get(_DETAILS, b"")
    _check_form(details)
    info, waiting = read_info(Info.parse(details))
    messages, of_messages = read_messages(rpc, answer.messages)
    trailers = {name: mask(value.decode()) for name, value in answer.trailers.items() if name != _DETAILS}
    return Seen(
        answer.status,
        mask(answer.message),
        info,
        frozenset(trailers.items()),
        frozenset(answer.others),
        messages,
        task=waiting.task or of_messages.task,
        again=waiting.again or of_messages.again,
    )


def _check_form(details: bytes) -> None:
    """An ErrorInfo is compact JSON in UTF-8, with four keys in one order, and base64 with its padding."""
    if details:
        info = json.loads(details)
        assert list(info) == ["msg", "detail", "code", "body"]
        assert details == json.dumps(info, separators=(",", ":"), ensure_ascii=False).encode()
        assert info["body"] is None or b64encode(b64decode(info["body"])).decode() == info["body"]


def _ask_pyarrow(server: Server, rpc: str, request: Request, *headers: Header) -> Seen:
    try:
        answer, task = _METHODS[rpc](Caller(server, *headers), request)
    except ERRORS as error:
        return _failed(Failure.of(error))
    if isinstance(answer, Failure):
        return _failed(answer)
    if isinstance(answer, Rows):
        seen = Seen("OK") if answer.failure is None else _failed(answer.failure)
        return Seen(seen.status, seen.message, seen.info, answer=read_rows(answer))
    return Seen("OK", answer=answer, task=task)


def _failed(failure: Failure) -> Seen:
    info, waiting = read_info(failure.info)
    return Seen(failure.error, failure.text, info, task=waiting.task, again=waiting.again)


Answer = tuple[object, str | None]


def _get_flight_info(caller: Caller, request: bytes) -> Answer:
    info = caller.raw_info(flight.FlightDescriptor.deserialize(request))
    return FlightAnswer.of(info), task_of(info)


def _list_flights(caller: Caller, request: bytes) -> Answer:
    return caller.flights(protobuf.first(request, 1) or b""), None


def _do_get(caller: Caller, request: bytes) -> Answer:
    return caller.read(flight.Ticket.deserialize(request).ticket), None


def _get_schema(caller: Caller, request: bytes) -> Answer:
    with caller.connect() as client:
        result = client.get_schema(flight.FlightDescriptor.deserialize(request), caller.options())
        return Schema.of(result.schema), None


def _list_actions(caller: Caller, _: bytes) -> Answer:
    with caller.connect() as client:
        return tuple(client.list_actions(caller.options())), None


def _do_action(caller: Caller, request: bytes) -> Answer:
    name, body = protobuf.first(request, 1) or b"", protobuf.first(request, 2) or b""
    with caller.connect() as client:
        results = client.do_action(flight.Action(name.decode(), body), caller.options())
        return tuple(result.body.to_pybytes() for result in results), None


def _handshake(caller: Caller, _: Request) -> Answer:
    with caller.connect() as client:
        return client.authenticate_basic_token(b"user", b"password", caller.options()), None


def _do_put(caller: Caller, request: Request) -> Answer:
    with caller.connect() as client:
        writer, _ = client.do_put(_descriptor(request), _COLUMN, caller.options())
        writer.close()
        return (), None


def _do_exchange(caller: Caller, request: Request) -> Answer:
    with caller.connect() as client:
        writer, reader = client.do_exchange(_descriptor(request), caller.options())
        writer.done_writing()
        return (reader.read_chunk(),), None


def _descriptor(request: Request) -> flight.FlightDescriptor:
    """The descriptor in the first message of an upload."""
    return flight.FlightDescriptor.deserialize(protobuf.first(request[0], 1))


_METHODS: dict[str, Callable[[Caller, Request], Answer]] = {
    "GetFlightInfo": _get_flight_info,
    "ListFlights": _list_flights,
    "DoGet": _do_get,
    "GetSchema": _get_schema,
    "ListActions": _list_actions,
    "DoAction": _do_action,
    "Handshake": _handshake,
    "DoPut": _do_put,
    "DoExchange": _do_exchange,
}
METHODS_OF_PYARROW = frozenset(_METHODS)
