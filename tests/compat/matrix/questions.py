"""What is asked of each method: everything that can be right about a request, and everything that can be wrong."""

import json
from collections.abc import Callable, Iterator

import pyarrow as pa
from harness import protobuf, wire
from harness.caller import Caller, command
from harness.server import Server
from harness.waiting import wait_until

from matrix.axes import Client, Mode, Question, Request
from matrix.shapes import SHAPES, Shape

_NO_TASK = "0123456789abcdef0123456789abcdef"
_BAD, _NO_TICKET, _FAILED, _CANCELLED, _CONSUMED, _TIMEOUT = 1, 4, 5, 6, 8, 100
_RAW = (Client.RAW,)
_WAITS = (Mode.PLAIN, Mode.POLLED)
_GARBAGE = b"\xff\xff\xff"

_FLIGHT_KINDS = {
    "server": "UNKNOWN",
    "internal": "INTERNAL",
    "timeout": "DEADLINE_EXCEEDED",
    "cancelled": "CANCELLED",
    "unavailable": "UNAVAILABLE",
    "unauthenticated": "UNAUTHENTICATED",
    "unauthorized": "PERMISSION_DENIED",
}
_CODES = (2, 3, 65_637, 196_710, 131_572, 197_109, 131_574, 503, 1_000, 65_535, 1_000 | 0x3_0000)
_MESSAGES = ("no such region", "ends with a dot.", "ünïcode 100 % 🦀", "two\nlines", "", " ")
_LENGTHS = (255, 256, 257, 5_000)

# Commands that name a function in ways that are rarely seen.
_WRITTEN_DIFFERENTLY = (
    '{"functionName":"Table"}',
    ' \n{ "functionName" : "Table" , "parameters" : null }\t',
    '{"functionName":"Table","parameters":false}',
    '{"functionName":"Table","parameters":0}',
    '{"functionName":"Table","parameters":""}',
    '{"functionName":"Table","parameters":[]}',
    '{"functionName":"Table","parameters":{},"columns":["top level"],"metadata":{"any":1}}',
    '{"functionName":"Echo","functionName":"Table"}',
    '{"functionName":"T\\u0061ble"}',
)
_NO_JSON = (
    b"   ",
    b"Table",
    b"{",
    b'{"functionName":"Table",}',
    b'{"functionName":"Table"} trailing',
    b"{'functionName':'Table'}",
    b'{"functionName":"Table" /* comment */}',
    b'\xef\xbb\xbf{"functionName":"Table"}',
    b'{"functionName":"Table","parameters":{"n":NaN}}',
    b'{"functionName":"Table","parameters":{"n":Infinity}}',
    b'{"functionName":"Table","parameters":{"n":1e400}}',
    b'{"functionName":"Table","parameters":{"n":01}}',
    b'{"functionName":"Table","parameters":{"s":"\\ud800"}}',
    b'{"functionName":"Table","parameters":{"s":"raw\ncontrol"}}',
    b'{"functionName":"Table","parameters":{"s":"\xff"}}',
    b'{"functionName":"Table","parameters":{"deep":' + b"[" * 1500 + b"]" * 1500 + b"}}",
    b"R:" + _NO_TASK.encode(),
    b" r:" + _NO_TASK.encode(),
)
_NO_NAME = ("{}", *(f'{{"functionName":{name}}}' for name in ("null", '""', "{}", "[]")))
_NO_FUNCTION = ("nope", "table", " Table", "Table ", "Tablé", "'", "x" * 200, "n" * 5_000)
_WRONG_SHAPE = (
    "[]",
    "5",
    '"Table"',
    '{"functionName":5}',
    '{"functionName":true}',
    '{"functionName":"Table","parameters":[1]}',
    '{"functionName":"Table","parameters":"text"}',
    '{"functionName":"Table","parameters":7}',
)
_BAD_TICKETS = (b"", b"nonsense", b'{"task_id":NaN}', b"\xff", b"{}", b'{"task_id":null}', b'{"task_id":""}')
_TICKETS_OF__WRONG_SHAPE = ("[]", "5", '"text"', '{"task_id":5}', '{"task_id":true}')

Maker = Callable[[Server, Caller], bytes]


def _descriptor(text: bytes | str) -> Maker:
    encoded = wire.descriptor(text.encode() if isinstance(text, str) else text)
    return lambda server, caller: encoded  # noqa: ARG005


def _fixed(request: Request) -> Callable[[Server, Caller], Request]:
    return lambda server, caller: request  # noqa: ARG005


def _path(*parts: str) -> bytes:
    return protobuf.number(1, 1) + b"".join(protobuf.text(3, part.encode()) for part in parts)


def _shown(text: bytes | str) -> str:
    """A request in the name of a test."""
    shown = text if isinstance(text, str) else repr(text)
    return shown if len(shown) <= 60 else f"{shown[:50]}… of {len(shown)}"


# Descriptors, which three methods take.


def _commands(rpc: str) -> Iterator[Question]:
    """Everything that may be wrong about a descriptor, and a few right ones."""
    modes = _WAITS if rpc == "GetFlightInfo" else (Mode.PLAIN,)

    def bad(title: str, text: bytes | str, about: str = "") -> Question:
        return Question(rpc, title, _descriptor(text), "UNKNOWN", _BAD, modes=modes, about=about)

    for text in _WRITTEN_DIFFERENTLY:
        yield Question(rpc, f"a command written as {_shown(text)}", _descriptor(text), modes=modes)
    yield from (bad(f"no JSON: {_shown(text)}", text) for text in _NO_JSON)
    yield bad("an empty command", b"")
    yield from (bad(f"no name: {text}", text) for text in _NO_NAME)
    yield from (bad(f"no function: {_shown(name)}", command(name)) for name in _NO_FUNCTION)
    yield from (bad(f"a command of the wrong shape: {text}", text, "wrong shape") for text in _WRONG_SHAPE)
    for parts in ((), ("Table",), ("a", "b")):
        yield Question(rpc, f"a path of {len(parts)}", _fixed(_path(*parts)), "UNKNOWN", _BAD, modes=modes)
    yield Question(rpc, "no descriptor", _fixed(b""), "INVALID_ARGUMENT", modes=modes, clients=_RAW)
    yield Question(rpc, "bytes that are no message", _fixed(_GARBAGE), "INTERNAL", _BAD, clients=_RAW, about="garbled")


def _get_flight_info() -> Iterator[Question]:
    rpc = "GetFlightInfo"
    yield from _commands(rpc)
    yield from (_good(rpc, shape) for shape in SHAPES)
    yield Question(rpc, "ten megabytes", _descriptor(command("Table", pad="x" * 10_000_000)), modes=_WAITS)
    yield from _failures(rpc)
    for prefix in ("r", "c"):
        text = f"{prefix}:{_NO_TASK}"
        yield Question(rpc, f"{prefix}: without the header", _descriptor(text), "UNKNOWN", _BAD)
        for task in (_NO_TASK, "", "no id at all", "🦀"):
            status, code = ("UNKNOWN", _BAD) if prefix == "r" else ("CANCELLED", _CANCELLED)
            make = _descriptor(f"{prefix}:{task}")
            yield Question(rpc, f"{prefix}: of no task: {task}", make, status, code, modes=(Mode.POLLED,))
        yield Question(
            rpc,
            f"{prefix}: of what is no text",
            _descriptor(f"{prefix}:".encode() + b"\xff"),
            "INVALID_ARGUMENT",
            modes=(Mode.POLLED,),
            about="no text",
        )
    yield Question(rpc, "a call that takes its time", _sleeper("time", 0.7), modes=_WAITS, slow=True)
    yield Question(rpc, "a long call", _sleeper("long", 20), modes=(Mode.CANCELLED,), slow=True)
    late = "DEADLINE_EXCEEDED", _TIMEOUT
    yield Question(rpc, "a call past its deadline", _sleeper("late", 20), *late, on="brisk", modes=_WAITS, slow=True)


def _good(rpc: str, shape: Shape) -> Question:
    modes = tuple(Mode) if rpc == "GetFlightInfo" else (Mode.PLAIN,)
    return Question(
        rpc,
        shape.title,
        lambda server, _: wire.descriptor(shape.command(server)),
        modes=modes,
        representative=shape is SHAPES[0],
        about=shape.title,
    )


def _sleeper(key: str, seconds: float) -> Maker:
    return _descriptor(command("Sleeper", key=key, seconds=seconds))


def _failures(rpc: str) -> Iterator[Question]:
    """Every kind of error that a function can have, with little and with much to say."""

    modes = _WAITS if rpc == "GetFlightInfo" else (Mode.PLAIN,)

    def failing(title: str, status: str, code: int, about: str = "", /, **parameters: object) -> Question:
        make = _descriptor(command("Fail", **parameters))
        return Question(rpc, title, make, status, code, modes=modes, about=about)

    for message in _MESSAGES:
        yield failing(f"a bad value: {message!r}", "UNKNOWN", _BAD, kind="value", message=message)
        yield failing(f"an error: {message!r}", "UNKNOWN", _FAILED, "detail", kind="runtime", message=message)
    for length in _LENGTHS:
        much = {"message": "ů", "repeat": length}
        yield failing(f"a bad value of {length} letters", "UNKNOWN", _BAD, kind="value", **much)
        detail = {"message": "m", "detail": "d" * length * 2, "code": 7}
        yield failing(f"a detail of {2 * length} letters", "UNKNOWN", 7, kind="server", **detail)
    for kind, status in _FLIGHT_KINDS.items():
        for message in _MESSAGES:
            told = {"kind": kind, "message": message, "detail": "dů", "body": "b\u0000ü", "code": 1_500}
            yield failing(f"{kind}: {message!r}", status, 1_500, **told)
        yield failing(f"{kind} with little to say", status, 0, kind=kind, message="", code=0)
    for code in _CODES:
        yield failing(f"the code {code}", "UNAVAILABLE", code, kind="unavailable", message="m", code=code)
    make = _descriptor(command("Panic"))
    yield Question(rpc, "a bug in the function", make, "UNKNOWN", _FAILED, modes=modes, about="bug")


# Tickets.


def _do_get() -> Iterator[Question]:
    rpc = "DoGet"

    def bad(title: str, ticket: bytes, code: int = _BAD, about: str = "") -> Question:
        return Question(rpc, title, _fixed(wire.ticket(ticket)), "UNKNOWN", code, about=about)

    for shape in SHAPES:
        yield Question(rpc, shape.title, _ticket(shape), representative=shape is SHAPES[0], about=shape.title)
        if shape.once:
            again = _read_before(shape)
            yield Question(rpc, f"{shape.title}, once more", again, "UNKNOWN", _CONSUMED, about="once more")
        else:
            yield Question(rpc, f"{shape.title}, once more", _read_before(shape), about=shape.title)
    yield Question(rpc, "a ticket that was reformatted", _reformatted)
    yield from (bad(f"no ticket: {_shown(ticket)}", ticket) for ticket in _BAD_TICKETS)
    for text in _TICKETS_OF__WRONG_SHAPE:
        yield bad(f"a ticket of the wrong shape: {text}", text.encode(), about="wrong shape")
    for task in (_NO_TASK, "nonsense", "🦀"):
        yield bad(f"no such task: {task}", json.dumps({"task_id": task}).encode(), _NO_TICKET)
    for title, function in (("table", "Table"), ("stream", "Stream")):
        yield Question(rpc, f"a {title} that expired", _expired(function), "UNKNOWN", _NO_TICKET, on="brisk")
        yield Question(rpc, f"a {title} whose call was cancelled", _evicted(function), "UNKNOWN", _NO_TICKET)
    yield Question(rpc, "a call that was cancelled while it ran", _cancelled, "UNKNOWN", _CANCELLED)
    for kind, status, code in (
        ("value", "UNKNOWN", _BAD),
        ("runtime", "UNKNOWN", _FAILED),
        ("panic", "UNKNOWN", _FAILED),
        ("flight", "UNAVAILABLE", 1_500),
    ):
        for batches in ([], [2], [2, 0, 3]):
            shape = Shape("", "FailingStream", {"kind": kind, "batches": batches})
            title = f"a stream that breaks after {len(batches)} batches: {kind}"
            yield Question(rpc, title, _ticket(shape), status, code, about=f"broken stream: {kind}")
    yield Question(rpc, "no ticket at all", _fixed(b""), "UNKNOWN", _BAD, clients=_RAW)
    yield Question(rpc, "bytes that are no message", _fixed(_GARBAGE), "INTERNAL", _BAD, clients=_RAW, about="garbled")


def _ticket(shape: Shape) -> Maker:
    return lambda server, caller: wire.ticket(caller.submit(shape.command(server)))


def _read_before(shape: Shape) -> Maker:
    def make(server: Server, caller: Caller) -> bytes:
        ticket = caller.submit(shape.command(server))
        caller.read(ticket)
        return wire.ticket(ticket)

    return make


def _reformatted(_: Server, caller: Caller) -> bytes:
    task = json.loads(caller.submit(command("Table")))["task_id"]
    return wire.ticket(f' {{ "more" : [1] ,\n "task_id" : "{task}" }} '.encode())


def _expired(function: str) -> Maker:
    def make(_: Server, caller: Caller) -> bytes:
        ticket = caller.submit(command(function))
        wait_until("the end of the result", lambda: getattr(caller.read(ticket), "code", None) == _NO_TICKET)
        return wire.ticket(ticket)

    return make


def _evicted(function: str) -> Maker:
    def make(_: Server, caller: Caller) -> bytes:
        ticket = caller.submit(command(function))
        caller.pollable().info(f"c:{json.loads(ticket)['task_id']}".encode())
        return wire.ticket(ticket)

    return make


def _cancelled(_: Server, caller: Caller) -> bytes:
    polling = caller.pollable()
    pending = polling.start("Sleeper", key="read after its end", seconds=20)
    polling.info(pending.cancel)
    polling.finish(pending)
    return wire.ticket(json.dumps({"task_id": pending.task_id}).encode())


# The other methods.


def _list_flights() -> Iterator[Question]:
    rpc = "ListFlights"
    for criteria in (b"", b"Table", b"\xff\x00"):
        request = protobuf.text(1, criteria) if criteria else b""
        yield Question(rpc, f"criteria {criteria!r}", _fixed(request), representative=not criteria)
    yield Question(rpc, "bytes that are no message", _fixed(_GARBAGE), "INTERNAL", _BAD, clients=_RAW, about="garbled")


def _get_schema() -> Iterator[Question]:
    yield from _commands("GetSchema")
    yield from (_good("GetSchema", shape) for shape in SHAPES)


def _poll_flight_info() -> Iterator[Question]:
    yield from _commands("PollFlightInfo")
    yield from (_good("PollFlightInfo", shape) for shape in SHAPES)
    yield from _failures("PollFlightInfo")


def _list_actions() -> Iterator[Question]:
    yield Question("ListActions", "nothing", _fixed(b""), representative=True)
    yield Question(
        "ListActions", "bytes that are no message", _fixed(_GARBAGE), "INTERNAL", _BAD, clients=_RAW, about="garbled"
    )


def _do_action() -> Iterator[Question]:
    rpc = "DoAction"

    def action(title: str, name: str, body: Maker, status: str = "OK", code: int | None = None) -> Question:
        def make(server: Server, caller: Caller) -> bytes:
            return protobuf.text(1, name.encode()) + protobuf.text(2, body(server, caller))

        return Question(rpc, title, make, status, code, representative=name == "nope")

    for name in ("nope", "", "cancelflightinfo"):
        yield action(f"no action: '{name}'", name, _fixed(b""), "UNIMPLEMENTED")
    for name in ("CancelFlightInfo", "RenewFlightEndpoint"):
        for title, body in (("nothing", b""), ("nonsense", b"\xff"), ("an empty message", protobuf.text(1, b""))):
            yield action(f"{name} of {title}", name, _fixed(body), "UNKNOWN", _BAD)
    yield action("CancelFlightInfo of a result", "CancelFlightInfo", _info_of(lambda info: info.serialize()))
    yield action("RenewFlightEndpoint of one", "RenewFlightEndpoint", _info_of(lambda i: i.endpoints[0].serialize()))
    yield Question(rpc, "no action at all", _fixed(b""), "UNIMPLEMENTED", clients=_RAW)
    yield Question(rpc, "bytes that are no message", _fixed(_GARBAGE), "INTERNAL", _BAD, clients=_RAW, about="garbled")


def _info_of(part: Callable[[object], bytes]) -> Maker:
    return lambda _, caller: protobuf.text(1, part(caller.raw_info(command("Table"))))


def _handshake() -> Iterator[Question]:
    for title, messages in (("nothing", ()), ("an empty message", (b"",)), ("nonsense", (b"\xff",))):
        clients = tuple(Client) if not messages else _RAW
        first = title == "nothing"
        yield Question("Handshake", title, _fixed(messages), "UNIMPLEMENTED", clients=clients, representative=first)


def _uploads() -> Iterator[Question]:
    """DoPut and DoExchange, which are there for services of one's own."""
    schema = pa.schema([("id", pa.int64())]).serialize().to_pybytes()[8:]
    described = protobuf.text(1, wire.descriptor(command("Table")))
    for rpc in ("DoPut", "DoExchange"):
        for title, messages in (
            ("nothing", ()),
            ("an empty message", (b"",)),
            ("bytes that are no message", (_GARBAGE,)),
            ("a schema without a descriptor", (protobuf.text(2, schema),)),
        ):
            yield Question(rpc, title, _fixed(messages), "UNIMPLEMENTED", clients=_RAW, about="no upload")
        yield Question(rpc, "a descriptor", _fixed((described,)), "UNIMPLEMENTED", clients=_RAW)
        request = (described + protobuf.text(2, schema),)
        yield Question(rpc, "a schema", _fixed(request), "UNIMPLEMENTED", representative=True)


QUESTIONS = [
    *_get_flight_info(),
    *_do_get(),
    *_list_flights(),
    *_get_schema(),
    *_poll_flight_info(),
    *_do_action(),
    *_list_actions(),
    *_handshake(),
    *_uploads(),
]
