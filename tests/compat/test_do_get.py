"""DoGet: tickets, the shape of a stream, who may read how often, and for how long."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import protobuf, wire
from harness.answers import Failure, Info, Rows
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until
from pyarrow import flight

_NOT_THERE = Info("Unable to serve data for task '<task>'. The task result is not present.", None, 4, None)
_CONSUMED = Info("Result data was already consumed or closed.", None, 8, None)


def test_metadata_is_in_the_stream_as_in_the_flight_info(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server)
        info = caller.info(command("Messages"))
        return info.schema, caller.call("Messages").schema

    announced, streamed = plain.agree(ask)
    assert announced == streamed
    assert {key for key, _ in streamed.metadata} == {b"origin", b"x-gdc-data-source-messages"}


def test_buffers_are_not_compressed(plain: Pair) -> None:
    def ask(server: Server) -> int:
        ticket = Caller(server).submit(command("Large"))
        return max(
            len(protobuf.first(m, 1000) or b"") for m in wire.call(server, "DoGet", wire.ticket(ticket)).messages
        )

    for length in plain.ask(ask).values():
        assert length >= 8_000_000


def test_a_table_can_be_read_by_many_at_once(plain: Pair) -> None:
    def ask(server: Server) -> list[int]:
        ticket = Caller(server).submit(command("Large"))
        with ThreadPoolExecutor(8) as pool:
            return [rows.table.num_rows for rows in pool.map(lambda _: Caller(server).read(ticket), range(8))]

    assert plain.agree(ask) == [1_000_000] * 8


def test_one_of_many_readers_gets_a_stream(plain: Pair) -> None:
    def ask(server: Server) -> list[str]:
        ticket = Caller(server).submit(command("Stream", batches=[10] * 50))
        start = threading.Barrier(6)

        def read(_: int) -> str:
            start.wait()
            answer = Caller(server).read(ticket)
            return str(answer.info.code) if isinstance(answer, Failure) else str(answer.table.num_rows)

        with ThreadPoolExecutor(6) as pool:
            return sorted(pool.map(read, range(6)))

    assert plain.agree(ask) == ["500", "8", "8", "8", "8", "8"]


def test_a_stream_that_broke_off_is_consumed(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server)
        ticket = caller.submit(command("FailingStream", kind="runtime"))
        broken = caller.read(ticket)
        return broken.lengths, broken.failure.error, _bare(caller.read(ticket))

    assert plain.agree(ask) == ((2,), "FlightServerError", ("FlightServerError", _CONSUMED))


def test_a_stream_that_a_client_left_is_consumed(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server)
        ticket = caller.submit(command("Stream", batches=[100_000] * 60))
        with caller.connect() as client:
            reader = client.do_get(flight.Ticket(ticket), caller.options())
            first = reader.read_chunk().data.num_rows
            reader.cancel()
        return first, _bare(caller.read(ticket))

    assert plain.agree(ask) == (100_000, ("FlightServerError", _CONSUMED))


@pytest.mark.parametrize("function", ["Stream", "Large"])
def test_a_read_under_way_outlives_its_result(brisk: Pair, function: str) -> None:
    def ask(server: Server) -> int:
        caller = Caller(server)
        ticket = caller.submit(command(function, batches=[100_000] * 60))
        with caller.connect() as client:
            reader = client.do_get(flight.Ticket(ticket), caller.options())
            rows = reader.read_chunk().data.num_rows
            wait_until("the end of the result", lambda: _code(caller.read(ticket)) == _NOT_THERE.code)
            return rows + sum(chunk.data.num_rows for chunk in reader)

    assert brisk.agree(ask) == {"Stream": 6_000_000, "Large": 1_000_000}[function]


def test_reading_a_running_call_waits_for_its_end(plain: Pair) -> None:
    def ask(server: Server) -> list:
        pending = Caller(server).pollable().start("Stubborn", key="read-running")
        ticket = json.dumps({"task_id": pending.task_id}).encode()
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(Caller(server).read, ticket)
            server.await_events("read-running", "started")
            server.release("release-read-running")
            return reading.result().rows

    assert plain.agree(ask) == [("released",)]


def _code(answer: Rows | Failure) -> int | None:
    """The code of a failure."""
    return answer.code if isinstance(answer, Failure) else None


def _bare(answer: Rows | Failure) -> tuple[str, Info | None]:
    """Class and ErrorInfo of a failure; pyarrow adds remarks of its own to the text of a DoGet."""
    assert isinstance(answer, Failure), answer
    return answer.error, answer.info
