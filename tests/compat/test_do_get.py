"""DoGet: tickets, the shape of a stream, who may read how often, and for how long."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from harness import protobuf, wire
from harness.answers import Failure, Info, Rows
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until
from pyarrow import flight

_NO_TASK = "0123456789abcdef0123456789abcdef"
_NOT_THERE = Info("Unable to serve data for task '<task>'. The task result is not present.", None, 4, None)
_CONSUMED = Info("Result data was already consumed or closed.", None, 8, None)


@pytest.mark.parametrize(
    ("ticket", "problem"),
    [
        (b"", "is not a valid JSON."),
        (b"nonsense", "is not a valid JSON."),
        (b'{"task_id":NaN}', "is not a valid JSON."),
        (b"\xff", "is not a valid JSON."),
        (b"{}", "does not specify 'task_id'."),
        (b'{"task_id":null}', "does not specify 'task_id'."),
        (b'{"task_id":""}', "does not specify 'task_id'."),
    ],
)
def test_bad_tickets_are_refused(plain: Pair, ticket: bytes, problem: str) -> None:
    failure = plain.agree(lambda server: _bare(Caller(server).read(ticket)))
    assert failure == (
        "FlightServerError",
        Info(f"Incorrect ticket payload. The ticket payload {problem}", None, 1, None),
    )


@pytest.mark.parametrize("task", [_NO_TASK, "nonsense", "🦀"])
def test_a_ticket_for_nothing_is_invalid(plain: Pair, task: str) -> None:
    failure = plain.agree(lambda server: _bare(Caller(server).read(json.dumps({"task_id": task}).encode())))
    msg = _NOT_THERE.msg.replace("<task>", "<task>" if task == _NO_TASK else task)
    assert failure == ("FlightServerError", Info(msg, None, 4, None))


def test_a_ticket_may_be_reformatted(plain: Pair) -> None:
    def ask(server: Server) -> list:
        caller = Caller(server)
        task = json.loads(caller.submit(command("Table")))["task_id"]
        return caller.read(f' {{ "more" : [1] ,\n "task_id" : "{task}" }} '.encode()).rows

    assert len(plain.agree(ask)) == 3


def test_a_table(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Table"))
    assert rows.rows == [(1, "one", 0.5), (2, None, None), (3, "tři", -1.0)]
    assert rows.lengths == (3,)
    assert [column.nullable for column in rows.schema.columns] == [False, True, True]


def test_a_table_without_rows_is_a_schema_alone(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("EmptyTable"))
    assert (rows.lengths, rows.table.num_rows) == ((), 0)
    assert [column.name for column in rows.schema.columns] == ["id", "name", "ratio"]


def test_a_table_is_cut_where_its_chunks_end(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Chunks"))
    assert rows.lengths == (2, 1, 3)
    assert rows.rows == [(n,) for n in range(1, 7)]


def test_a_window_into_longer_arrays(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Sliced"))
    assert rows.rows == [(n, f"row {n}", n % 2 == 0, [n] * (n % 3)) for n in range(11, 16)]


def test_eight_megabytes_are_one_message(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Large"))
    assert rows.lengths == (1_000_000,)
    assert rows.table.column("id").to_numpy().sum() == 999_999 * 500_000


@pytest.mark.parametrize("function", ["Dictionary", "ChangingDictionary", "DictionaryStream"])
def test_dictionaries_stay_encoded(plain: Pair, function: str) -> None:
    rows = plain.agree(lambda server: Caller(server).call(function))
    assert rows.schema.columns[0].type == "dictionary<values=string, indices=int8, ordered=0>"
    names = [row[0] for row in rows.rows]
    assert names[:3] == ["red", "green", None]
    assert (
        names[3:]
        == {
            "Dictionary": ["green"],
            "ChangingDictionary": ["blue", "blue"],
            "DictionaryStream": ["green", "blue", "blue"],
        }[function]
    )


def test_every_layout_arrives(plain: Pair) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Nested"))
    assert rows.lengths == (3,)
    assert rows.table.column("view").to_pylist() == ["a text of more than twelve bytes", None, "short"]
    assert rows.table.column("regions").to_pylist() == [["EMEA", "APAC", "EMEA"], None, []]
    assert rows.table.column("counts").to_pylist() == [[("one", 1), ("none", None)], None, []]
    assert [column.type for column in rows.schema.columns][3:5] == [
        "decimal128(12, 2)",
        "timestamp[us, tz=Europe/Prague]",
    ]


def test_metadata_is_in_the_stream_as_in_the_flight_info(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server)
        info = caller.info(command("Messages"))
        return info.schema, caller.call("Messages").schema

    announced, streamed = plain.agree(ask)
    assert announced == streamed
    assert {key for key, _ in streamed.metadata} == {b"origin", b"x-gdc-data-source-messages"}


@pytest.mark.parametrize("batches", [[2, 0, 3, 0], [], [0], [1] * 100, [100_000]])
def test_a_stream_sends_the_batches_of_its_reader(plain: Pair, batches: list[int]) -> None:
    rows = plain.agree(lambda server: Caller(server).call("Stream", batches=batches))
    assert rows.lengths == tuple(batches)
    assert rows.table.column("id").to_pylist() == list(range(sum(batches)))


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        ("EmptyTable", ["schema"]),
        ("Chunks", ["schema", "record batch", "record batch", "record batch"]),
        ("Stream", ["schema", "record batch", "record batch", "record batch", "record batch"]),
        ("Dictionary", ["schema", "dictionary", "record batch", "record batch"]),
        ("ChangingDictionary", ["schema", "dictionary", "record batch", "dictionary", "record batch"]),
        ("DictionaryStream", ["schema", "dictionary", "record batch", "record batch", "dictionary", "record batch"]),
        ("Nested", ["schema", "dictionary", "record batch"]),
    ],
)
def test_the_messages_of_a_stream(plain: Pair, function: str, kinds: list[str]) -> None:
    def ask(server: Server) -> list[str]:
        ticket = Caller(server).submit(command(function))
        answer = wire.call(server, "DoGet", wire.ticket(ticket))
        assert (answer.status, answer.trailers) == ("OK", {})
        return [_kind(message) for message in answer.messages]

    assert plain.agree(ask) == kinds


def test_the_first_message_is_a_bare_schema(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        ticket = Caller(server).submit(command("Table"))
        message = wire.call(server, "DoGet", wire.ticket(ticket)).messages[0]
        header = protobuf.first(message, 2)
        return (
            header[:4] == b"\xff\xff\xff\xff",
            protobuf.first(message, 1),
            protobuf.first(message, 3) or b"",
            (protobuf.first(message, 1000) or b""),
        )

    assert plain.agree(ask) == (False, None, b"", b"")


def test_buffers_are_not_compressed(plain: Pair) -> None:
    def ask(server: Server) -> int:
        ticket = Caller(server).submit(command("Large"))
        return max(
            len(protobuf.first(m, 1000) or b"") for m in wire.call(server, "DoGet", wire.ticket(ticket)).messages
        )

    for length in plain.ask(ask).values():
        assert length >= 8_000_000


@pytest.mark.parametrize("function", ["Table", "EmptyTable", "Dictionary"])
def test_a_table_can_be_read_again(plain: Pair, function: str) -> None:
    def ask(server: Server) -> list[Rows]:
        caller = Caller(server)
        ticket = caller.submit(command(function))
        return [caller.read(ticket) for _ in range(3)]

    answers = plain.agree(ask)
    assert answers[0] == answers[1] == answers[2]


def test_a_table_can_be_read_by_many_at_once(plain: Pair) -> None:
    def ask(server: Server) -> list[int]:
        ticket = Caller(server).submit(command("Large"))
        with ThreadPoolExecutor(8) as pool:
            return [rows.table.num_rows for rows in pool.map(lambda _: Caller(server).read(ticket), range(8))]

    assert plain.agree(ask) == [1_000_000] * 8


def test_a_stream_is_read_once(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server)
        ticket = caller.submit(command("Stream"))
        return caller.read(ticket).lengths, _bare(caller.read(ticket)), _bare(caller.read(ticket))

    refused = ("FlightServerError", _CONSUMED)
    assert plain.agree(ask) == ((2, 0, 3, 0), refused, refused)


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


def test_a_failed_call_has_its_error_behind_the_ticket(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = Caller(server).pollable()
        pending = caller.start("Sleeper", key="read-cancelled", seconds=20)
        caller.info(pending.cancel)
        caller.finish(pending)
        return _bare(Caller(server).read(json.dumps({"task_id": pending.task_id}).encode()))

    msg = "FlexConnect function invocation was cancelled. Invocation task was: '<task>'."
    assert plain.agree(ask) == ("FlightServerError", Info(msg, None, 6, None))


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


@pytest.mark.parametrize("function", ["Table", "Stream"])
def test_a_result_expires(brisk: Pair, function: str) -> None:
    def ask(server: Server) -> Info:
        caller = Caller(server)
        ticket = caller.submit(command(function))

        wait_until("the end of the result", lambda: _code(caller.read(ticket)) == _NOT_THERE.code)
        return caller.read(ticket).info

    assert brisk.agree(ask) == _NOT_THERE


def _code(answer: Rows | Failure) -> int | None:
    """The code of a failure."""
    return answer.code if isinstance(answer, Failure) else None


def _bare(answer: Rows | Failure) -> tuple[str, Info | None]:
    """Class and ErrorInfo of a failure; pyarrow adds remarks of its own to the text of a DoGet."""
    assert isinstance(answer, Failure), answer
    return answer.error, answer.info


def _kind(message: bytes) -> str:
    """The kind of Arrow IPC message in a FlightData."""
    header = protobuf.first(message, 2)
    padded = header + b"\x00" * (-len(header) % 8)
    encapsulated = b"\xff\xff\xff\xff" + len(padded).to_bytes(4, "little") + padded
    return pa.ipc.read_message(encapsulated + (protobuf.first(message, 1000) or b"")).type
