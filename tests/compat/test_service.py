"""A module with Flight RPC methods of its own, `compat_service`, in the vendor's server and behind ours."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
import pytest
from harness import protobuf, wire
from harness.answers import Failure, FlightAnswer, Rows, Schema, bad_argument, failed
from harness.caller import ERRORS, Caller, Header
from harness.config import Config
from harness.farm import Farm
from harness.pair import Pair
from harness.server import Server
from pyarrow import flight

pytestmark = pytest.mark.python

_DESCRIPTOR = flight.FlightDescriptor.for_command(b"x").serialize()
_SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture(scope="module")
def service(services: Farm) -> Pair:
    """Nobody has to say who it is."""
    return services.start("plain", Config(server={"task_threads": 16, "task_result_ttl_sec": 300}))


@pytest.fixture(scope="module")
def guarded_service(services: Farm) -> Pair:
    """Callers have a token."""
    tokens = {"GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS": '["first"]'}
    return services.start("tokens", Config(server={"authentication_method": "token"}, env=tokens))


def _tried(
    server: Server, ask: Callable[[flight.FlightClient, flight.FlightCallOptions], Any], *headers: Header
) -> Any:
    caller = Caller(server, *headers)
    with caller.connect() as client:
        try:
            return ask(client, caller.options())
        except (*ERRORS, KeyError, ValueError) as error:
            return Failure.of(error)


def _act(server: Server, action: str, body: bytes = b"", *headers: Header) -> list[bytes] | Failure:
    def ask(client: flight.FlightClient, options: flight.FlightCallOptions) -> list[bytes]:
        return [answer.body.to_pybytes() for answer in client.do_action((action, body), options)]

    return _tried(server, ask, *headers)


@contextmanager
def _background(call: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call).result


def _command(**wanted: Any) -> bytes:
    return json.dumps(wanted).encode()


def _batch(*values: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array(values, pa.int64())], schema=_SCHEMA)


def test_flights_are_listed(service: Pair) -> None:
    flights = service.agree(lambda server: Caller(server).flights(b"x"))
    assert [each.descriptor for each in flights] == [("PATH", None), ("CMD", b"x")]
    broken = service.agree(lambda server: Caller(server).flights(b"break"))
    assert broken == bad_argument("no second flight")


def test_a_task_runs_and_its_result_is_read(service: Pair) -> None:
    info = service.agree(lambda server: Caller(server).info(_command(rows=3)))
    assert isinstance(info, FlightAnswer)
    assert info.endpoints[0].ticket == '{"task_id":"<task>"}'
    assert info.endpoints[0].locations == ("grpc://localhost:<port>",)

    def read_twice(server: Server) -> list[Rows | Failure]:
        ticket = Caller(server).submit(_command(rows=100_000))
        return [Caller(server).read(ticket) for _ in range(2)]

    first, second = service.agree(read_twice)
    assert first == second
    assert first.table.num_rows == 100_000


def test_a_task_that_fails_tells_its_error(service: Pair) -> None:
    assert service.agree(lambda server: Caller(server).info(_command(fails="no rows"))) == failed("no rows", 1500)


def test_a_task_is_cancelled(service: Pair) -> None:
    def ask(server: Server) -> tuple[list[bytes] | Failure, Failure]:
        with _background(lambda: Caller(server).info(_command(wait="cancel", rows=1))) as running:
            events = server.await_events("cancel", "runs")
            task = next(event.removeprefix("task=") for event in events if event.startswith("task="))
            return _act(server, "cancel", task.encode()), running()

    assert service.agree(ask) == ([b"True"], failed("It was cancelled.", 6))


def test_the_schema_is_told(service: Pair) -> None:
    def ask(server: Server) -> Schema:
        descriptor = flight.FlightDescriptor.for_command(b"x")
        return _tried(server, lambda client, options: Schema.of(client.get_schema(descriptor, options).schema))

    assert service.agree(ask).metadata == frozenset({(b"of", b"the service")})


def test_a_stream_is_read_and_its_end_is_noted(service: Pair) -> None:
    rows = service.agree(lambda server: Caller(server).read(_command(key="whole", batches=200, rows=1_000)))
    assert rows.lengths == (1_000,) * 200
    assert service.agree(lambda server: server.await_events("whole", "over")) == ["over"]


def test_a_stream_that_fails_tells_it_after_what_came_before(service: Pair) -> None:
    rows = service.agree(lambda server: Caller(server).read(_command(key="fails", batches=9, break_at=3)))
    assert rows.lengths == (1, 1, 1)
    assert rows.failure == bad_argument("no batch 3")


def test_who_stops_reading_stops_the_stream(service: Pair) -> None:
    def ask(server: Server) -> list[str]:
        ticket = flight.Ticket(_command(key="left", batches=10_000_000, rows=10_000))

        def leave(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
            reader = client.do_get(ticket, options)
            reader.read_chunk()
            reader.cancel()

        _tried(server, leave)
        return server.await_events("left", "over")

    assert service.agree(ask) == ["over"]


def test_data_is_put_and_every_batch_is_answered(service: Pair) -> None:
    assert service.agree(lambda server: _put(server, _batch(1, 2), _batch(3))) == ([b"2", b"1"], None)
    answers, failure = service.agree(lambda server: _put(server, _batch()))
    assert (answers, failure) == ([], bad_argument("an empty batch for shelf"))


def test_data_goes_both_ways(service: Pair) -> None:
    def ask(server: Server) -> Any:
        def exchange(client: flight.FlightClient, options: flight.FlightCallOptions) -> list[tuple[list[int], Any]]:
            writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"x"), options)
            received = []
            with closing(writer):
                writer.begin(_SCHEMA)
                # Each answer is there before the next batch is sent.
                for number in range(3):
                    writer.write_with_metadata(_batch(number), f"m{number}".encode())
                    received += [reader.read_chunk() for _ in range(2)]
                writer.done_writing()
                received += _chunks(reader)
            return [
                (chunk.data.column(0).to_pylist(), chunk.app_metadata and chunk.app_metadata.to_pybytes())
                for chunk in received
            ]

        return _tried(server, exchange)

    assert service.agree(ask) == [
        each for number in range(3) for each in (([number], f"m{number}".encode()), ([number], None))
    ]


def test_actions_are_listed_and_done(service: Pair) -> None:
    def ask(server: Server) -> Any:
        return _tried(server, lambda client, options: [tuple(each) for each in client.list_actions(options)])

    assert [name for name, _ in service.agree(ask)] == ["caller", "cancel", "echo", "raises", "until-cancelled"]
    body = bytes(range(256)) * 40_000
    assert service.agree(lambda server: _act(server, "echo", body)) == [body, body]


def test_a_client_that_goes_away_is_noticed(service: Pair) -> None:
    def ask(server: Server) -> list[str]:
        caller = Caller(server, timeout=1.0)
        with caller.connect() as client, pytest.raises(flight.FlightTimedOutError):
            list(client.do_action(("until-cancelled", b"gone"), caller.options()))
        return server.await_events("gone", "cancelled")

    assert service.agree(ask) == ["cancelled", "runs"]


def test_the_caller_is_known(service: Pair, guarded_service: Pair) -> None:
    def ask(server: Server) -> Any:
        return [
            json.loads(body) for body in _act(server, "caller", b"", ("x-one", "1"), ("x-many", "2"), ("x-many", "3"))
        ]

    assert service.agree(ask) == [["ipv4", {"x-one": ["1"], "x-many": ["2", "3"]}, None]]
    bearer = ("authorization", "Bearer first")
    assert guarded_service.agree(lambda server: _act(server, "caller", b"", bearer)) == [b'["ipv4",{},null]']
    refused = guarded_service.agree(lambda server: _act(server, "caller"))
    assert refused.error == "FlightUnauthenticatedError"


@pytest.mark.parametrize(
    "kind", ["server", "internal", "unavailable", "timed-out", "cancelled", "unauthenticated", "unauthorized"]
)
def test_flight_errors_arrive_trailer_by_trailer(service: Pair, kind: str) -> None:
    action = _action("raises", kind.encode())
    answer = service.agree(lambda server: wire.call(server, "DoAction", action))
    assert answer.status != "OK"
    assert ("grpc-status-details-bin" in answer.trailers) == (not kind.startswith("unauth"))


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("value", "INVALID_ARGUMENT", "a wrong value"),
        ("key", "NOT_FOUND", "'a missing key'"),
        ("not-implemented", "UNIMPLEMENTED", "not yet"),
    ],
)
def test_other_exceptions_have_their_status_and_ours_tells_no_traceback(
    service: Pair, kind: str, status: str, message: str
) -> None:
    answers = service.ask(lambda server: wire.call(server, "DoAction", _action("raises", kind.encode())))
    for answer in answers.values():
        assert answer.status == status
        assert answer.trailers["x-arrow-status-message-bin"] == message.encode()
    if "python" in answers:
        assert "Traceback" in answers["python"].message
    if "ours" in answers:
        assert answers["ours"].message == message
        assert "x-arrow-status-detail-bin" not in answers["ours"].trailers


@pytest.mark.ours
def test_an_exception_with_a_long_text_keeps_its_status(service: Pair) -> None:
    answers = service.ask(lambda server: wire.call(server, "DoAction", _action("raises", b"long")))
    assert answers["ours"].status == "INVALID_ARGUMENT"
    assert len(answers["ours"].message) < 1_000


def test_methods_that_pyarrow_has_not_are_refused_alike(service: Pair) -> None:
    for method in ("PollFlightInfo", "Handshake"):
        answer = service.agree(lambda server, method=method: wire.call(server, method, _DESCRIPTOR))
        assert answer.status == "UNIMPLEMENTED"
    missing = service.agree(lambda server: wire.call(server, "DoNothing", b""))
    assert missing.status == "UNIMPLEMENTED"


@pytest.mark.ours
def test_a_message_that_is_too_large_is_refused_before_the_module_sees_it(services: Farm) -> None:
    small = services.start("small", Config(server={"max_request_bytes": 1_000_000}))
    answers = small.ask(lambda server: _act(server, "echo", b"x" * 1_100_000))
    text = "The request cannot be read: decoded message length too large: found "
    assert answers["ours"].text.startswith(text)
    assert answers["ours"].code == 1
    assert small.ask(lambda server: _act(server, "echo", b"x" * 900_000))["ours"] == [b"x" * 900_000] * 2


@pytest.mark.ours
def test_calls_in_flight_finish_when_the_server_ends(services: Farm) -> None:
    ending = services.start("ending", Config())

    def ask(server: Server) -> Any:
        with _background(lambda: Caller(server).info(_command(wait="ending", rows=1))) as running:
            server.await_events("ending", "runs")
            server.terminate()
            server.release("ending")
            answer = running()
        server.await_orderly_exit()
        return answer

    assert isinstance(ending.ask(ask)["ours"], FlightAnswer)
    services.forget(ending)


def _action(name: str, body: bytes) -> bytes:
    return protobuf.text(1, name.encode()) + protobuf.text(2, body)


def _put(server: Server, *batches: pa.RecordBatch) -> tuple[list[bytes], Failure | None]:
    answers: list[bytes] = []

    def put(client: flight.FlightClient, options: flight.FlightCallOptions) -> None:
        writer, reader = client.do_put(flight.FlightDescriptor.for_command(b"shelf"), _SCHEMA, options)
        with closing(writer):
            for batch in batches:
                writer.write_batch(batch)
            writer.done_writing()
            while (answer := reader.read()) is not None:
                answers.append(answer.to_pybytes())

    return answers, _tried(server, put)


def _chunks(reader: Iterable[flight.FlightStreamChunk]) -> list[flight.FlightStreamChunk]:
    return list(reader)
