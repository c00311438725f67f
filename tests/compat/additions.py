"""What our server has and the original has not: the answer of each, side by side."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from harness import protobuf, standard, wire
from harness.answers import Schema
from harness.caller import Caller, Pending, command
from harness.server import Server
from harness.standard import CANCELLED, CANCELLING, Poll
from matrix.axes import Case
from matrix.deviation import Deviation
from pyarrow import flight

_FLIGHT = "arrow.flight.protocol.FlightService"
_UNIMPLEMENTED = ("UNIMPLEMENTED", None)


@dataclass(frozen=True)
class Addition:
    """One question and both answers."""

    title: str
    ask: Callable[[Server], object]
    ours: object
    python: object = _UNIMPLEMENTED
    on: str = "plain"
    """The fixture with the servers to ask."""
    rust: bool = False
    """Whether only functions in Rust have it."""


def _schema(descriptor: bytes) -> Callable[[Server], object]:
    def ask(server: Server) -> object:
        schema = standard.schema(server, descriptor)
        return [column.name for column in schema.columns] if isinstance(schema, Schema) else schema

    return ask


def _schemas_of_all(server: Server) -> object:
    """Whether GetSchema tells of every function what ListFlights does."""
    flights = Caller(server).flights()
    schemas = [standard.schema(server, wire.descriptor(each.descriptor[1])) for each in flights]
    return schemas[0] if isinstance(schemas[0], tuple) else schemas == [each.schema for each in flights]


def _poll(server: Server, function: str, **parameters: object) -> Poll | standard.Refused:
    return standard.poll(server, wire.descriptor(command(function, **parameters)))


def _quick_poll(server: Server) -> object:
    """A call that is soon over: its result looks as that of GetFlightInfo does, and can be read."""
    polled = standard.finish(server, _poll(server, "Table"))
    if not isinstance(polled, Poll):
        return polled
    read = Caller(server).read(_ticket(polled.info))
    return polled.flight == Caller(server).info(command("Table")), read.table.num_rows


def _slow_poll(server: Server) -> object:
    """A call that is not over when it is first asked for."""
    first = _poll(server, "Stubborn", key="polled")
    if not isinstance(first, Poll):
        return first
    empty = protobuf.first(first.info, 1) is None and protobuf.first(first.info, 3) is None
    second = standard.poll(server, first.again)
    server.release("release-polled")
    last = standard.finish(server, second)
    return empty, first.expires, second.again == first.again, Caller(server).read(_ticket(last.info)).rows


def _polled_by_the_other_way(server: Server) -> object:
    """A call that PollFlightInfo began, and that GoodData's way of polling ends."""
    first = _poll(server, "Stubborn", key="both ways")
    if not isinstance(first, Poll):
        return first
    server.release("release-both ways")
    caller = Caller(server).pollable()
    while isinstance(answer := caller.info(protobuf.first(first.again, 2)), Pending):
        pass
    return answer.totals


def _cancelled_call(server: Server) -> object:
    """A call that is cancelled by what PollFlightInfo told of it."""
    first = _poll(server, "Sleeper", key="standard-cancel", seconds=20)
    if not isinstance(first, Poll):
        return first
    statuses = standard.cancel(server, first.info), standard.finish(server, first)
    return *statuses, server.await_events("standard-cancel", "cancelled", "hook")


def _cancelled_result(server: Server) -> object:
    """A result that is given back before its time."""
    caller = Caller(server)
    info = caller.raw_info(command("Table"))
    status = standard.cancel(server, info.serialize())
    read = caller.read(info.endpoints[0].ticket.ticket)
    return status if isinstance(status, tuple) else (status, read.code)


def _renewed(server: Server) -> object:
    """An endpoint that is renewed: the same ticket, and now a time."""
    endpoint = Caller(server).raw_info(command("Table")).endpoints[0]
    renewed = standard.renew(server, endpoint)
    if isinstance(renewed, tuple):
        return renewed
    return endpoint.expiration_time, renewed.ticket == endpoint.ticket, renewed.expiration_time is not None


def _told(server: Server) -> object:
    """What a server tells that is told to tell all."""
    answer = Caller(server).info(command("Table"))
    (endpoint,) = answer.endpoints
    return endpoint.expires, answer.totals[0], answer.totals[1] > 0


def _quiet_stream(server: Server) -> object:
    """The lengths of the batches around a silence, each of them once."""
    caller = Caller(server)
    batches = [pa.record_batch([pa.array(numbers)], ["id"]) for numbers in ([0, 1], [2])]
    with pa.ipc.new_stream(server.stage / "quiet", batches[0].schema) as file:
        for batch in batches:
            file.write_batch(batch)
    ticket = flight.Ticket(caller.submit(command("Stored", file="quiet", stream=True, key="quiet")))
    with caller.connect() as client:
        reader = client.do_get(ticket, caller.options())
        lengths = [reader.read_chunk().data.num_rows]
        if server.kind == "ours":
            lengths.append(reader.read_chunk().data.num_rows)
        server.release("release-quiet")
        lengths += [chunk.data.num_rows for chunk in reader]
    return list(dict.fromkeys(lengths))


def _reflected(server: Server) -> object:
    """Whether the list of services that reflection gives has Flight in it."""
    request = protobuf.text(7, b"*")
    answer = wire.call(
        server, "ServerReflectionInfo", request, service="grpc.reflection.v1.ServerReflection", shape="stream_stream"
    )
    if answer.status != "OK":
        return standard.refusal(answer)
    return all(name.encode() in answer.messages[0] for name in (_FLIGHT, "grpc.health.v1.Health"))


def _beside_a_crowd(server: Server) -> object:
    """What becomes of a call when calls of another function have every thread."""
    caller = Caller(server).pollable()
    crowd = [caller.start("Stubborn", key=f"filling-{n}") for n in range(2)]
    answer = caller.info(command("Table"))
    for n in range(2):
        server.release(f"release-filling-{n}")
    for pending in [*crowd, *([answer] if isinstance(answer, Pending) else [])]:
        caller.finish(pending)
    return "waits" if isinstance(answer, Pending) else answer.totals


def _ticket(info: bytes) -> bytes:
    """The ticket of an encoded FlightInfo."""
    endpoint = protobuf.first(info, 3)
    return protobuf.first(protobuf.first(endpoint, 1), 1)


ADDITIONS = [
    Addition("the columns of a function", _schema(wire.descriptor(command("Table"))), ["id", "name", "ratio"]),
    Addition("the columns of every function", _schemas_of_all, ours=True),
    Addition("the standard's polling for a quick call", _quick_poll, (True, 3)),
    Addition("the standard's polling for a slow call", _slow_poll, (True, True, True, [("released",)])),
    Addition("both ways of polling for one call", _polled_by_the_other_way, (-1, -1)),
    Addition("the actions", standard.actions, ["CancelFlightInfo", "RenewFlightEndpoint"]),
    Addition(
        "a call that is cancelled in the standard's way",
        _cancelled_call,
        (CANCELLING, ("UNKNOWN", 6), ["cancelled", "hook", "started"]),
    ),
    Addition("a result that is given back", _cancelled_result, (CANCELLED, 4)),
    Addition("an endpoint that is renewed", _renewed, (None, True, True)),
    Addition("the health of the server", lambda server: standard.health(server, ""), 1),
    Addition("the health of the service", lambda server: standard.health(server, _FLIGHT), 1),
    Addition("the health of no service", lambda server: standard.health(server, "nope"), ("NOT_FOUND", None)),
    Addition("reflection that is not asked for", _reflected, _UNIMPLEMENTED),
    Addition("reflection", _reflected, ours=True, on="talkative"),
    Addition("expiry and totals", _told, (True, 3, True), (False, -1, False), on="talkative"),
    Addition("a stream that is quiet for a while", _quiet_stream, [2, 0, 1], [2, 1], on="talkative"),
    # A call in Python that was given up keeps its thread: what others left behind in the few there are is in the way.
    Addition("a call beside a crowd of another function", _beside_a_crowd, (-1, -1), "waits", on="brisk", rust=True),
]

_UNKNOWN_TO_THE_ORIGINAL = frozenset({"status", "message", "info", "trailers", "answer"})


def _asks(rpc: str, *unless: str) -> Callable[[Case], bool]:
    return lambda case: case.question.rpc == rpc and case.question.title not in unless


SURPLUS = [
    Deviation(
        None,
        "GetSchema tells the columns of a function",
        _asks("GetSchema", "no descriptor", "bytes that are no message"),
        _UNKNOWN_TO_THE_ORIGINAL,
        _UNIMPLEMENTED,
        inside=True,
    ),
    Deviation(
        None,
        "PollFlightInfo, the standard's way of polling",
        _asks("PollFlightInfo", "no descriptor", "bytes that are no message"),
        _UNKNOWN_TO_THE_ORIGINAL,
        _UNIMPLEMENTED,
    ),
    Deviation(
        None,
        "ListActions names the actions",
        _asks("ListActions", "bytes that are no message"),
        _UNKNOWN_TO_THE_ORIGINAL,
        _UNIMPLEMENTED,
        inside=True,
    ),
    Deviation(
        None,
        "the standard's actions",
        lambda case: case.question.rpc == "DoAction" and case.question.title.startswith(("Cancel", "Renew")),
        _UNKNOWN_TO_THE_ORIGINAL,
        _UNIMPLEMENTED,
        inside=True,
    ),
]
