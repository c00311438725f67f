"""GetFlightInfo without polling: commands, answers, refusals, the deadline."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import protobuf, wire
from harness.answers import Column, Endpoint, bad_argument, failed
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server
from pyarrow import flight

_NO_JSON = "Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON."
_NO_NAME = "Incorrect FlexConnect function invocation. The invocation payload does not specify 'functionName'."


def test_the_answer_tells_where_to_read_the_result(plain: Pair) -> None:
    info = plain.agree(lambda server: Caller(server).info(command("Table")))
    assert info.descriptor == ("CMD", command("Table"))
    assert info.endpoints == (Endpoint('{"task_id":"<task>"}', ("grpc://localhost:<port>",), False, b""),)
    assert (info.totals, info.ordered, info.app_metadata) == ((-1, -1), False, b"")


def test_the_schema_is_that_of_the_result_with_its_metadata(plain: Pair) -> None:
    info = plain.agree(lambda server: Caller(server).info(command("OtherSchema")))
    assert info.schema.columns == (Column("text", "string", True, frozenset()),)
    assert info.schema.metadata == {(b"origin", b"call")}


def test_data_source_messages_and_field_metadata_reach_the_client(plain: Pair) -> None:
    messages = (
        b'[{"source":"src","correlation_id":"cid","type":"info","data":{"x":1}},'
        b'{"source":"s2","correlation_id":"c2","type":"warn","data":null}]'
    )
    schema = plain.agree(lambda server: Caller(server).info(command("Messages"))).schema
    assert schema.metadata == {(b"origin", b"compat"), (b"x-gdc-data-source-messages", messages)}
    assert schema.columns[0].metadata == {(b"unit", b"EUR")}


def test_the_schema_travels_as_an_encapsulated_message(plain: Pair) -> None:
    request = wire.descriptor(command("Nested"))
    for answer in plain.ask(lambda server: wire.call(server, "GetFlightInfo", request)).values():
        schema = protobuf.first(answer.messages[0], 1)
        assert schema[:4] == b"\xff\xff\xff\xff"
        assert len(schema) == 8 + int.from_bytes(schema[4:8], "little")


def test_unset_fields_are_absent_on_the_wire(plain: Pair) -> None:
    request = wire.descriptor(command("Table"))

    def ask(server: Server) -> object:
        message = wire.call(server, "GetFlightInfo", request).messages[0]
        endpoint = protobuf.first(message, 3)
        return [number for number, _ in protobuf.fields(message)], [number for number, _ in protobuf.fields(endpoint)]

    assert plain.agree(ask) == ([1, 2, 3, 4, 5], [1, 2])


def test_identical_commands_are_separate_tasks(plain: Pair) -> None:
    for tickets in plain.ask(lambda s: {Caller(s).submit(command("Table")) for _ in range(5)}).values():
        assert len(tickets) == 5


def test_many_calls_at_once(plain: Pair) -> None:
    def ask(server: Server) -> list[int]:
        with ThreadPoolExecutor(64) as pool:
            return [len(rows.rows) for rows in pool.map(lambda _: Caller(server).call("Table"), range(64))]

    assert plain.agree(ask) == [3] * 64


@pytest.mark.parametrize(
    "text",
    [
        '{"functionName":"Echo"}',
        ' \n{ "functionName" : "Echo" , "parameters" : null }\t',
        '{"functionName":"Echo","parameters":false}',
        '{"functionName":"Echo","parameters":0}',
        '{"functionName":"Echo","parameters":""}',
        '{"functionName":"Echo","parameters":[]}',
        '{"functionName":"Echo","parameters":{},"columns":["top level"],"metadata":{"any":1}}',
        '{"functionName":"Table","functionName":"Echo"}',
        '{"functionName":"Ech\\u006f"}',
    ],
)
def test_a_command_is_echoed_byte_for_byte_however_it_is_written(plain: Pair, text: str) -> None:
    info = plain.agree(lambda server: Caller(server).info(text.encode()))
    assert info.descriptor == ("CMD", text.encode())
    assert [column.name for column in info.schema.columns] == ["key", "value"]


def test_a_command_of_ten_megabytes_is_taken_and_echoed(plain: Pair) -> None:
    huge = command("Table", pad="x" * 10_000_000)
    info = plain.agree(lambda server: Caller(server).info(huge))
    assert info.descriptor[1] == huge


@pytest.mark.parametrize(
    "text",
    [
        b"",
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
        b"r:0123456789abcdef0123456789abcdef",
        b"c:0123456789abcdef0123456789abcdef",
    ],
)
def test_what_is_no_json_is_refused(plain: Pair, text: bytes) -> None:
    assert plain.agree(lambda server: Caller(server).info(text)) == bad_argument(_NO_JSON)


@pytest.mark.parametrize("parts", [(), ("Table",), ("a", "b")])
def test_a_path_descriptor_has_no_command(plain: Pair, parts: tuple[str, ...]) -> None:
    descriptor = flight.FlightDescriptor.for_path(*parts)
    assert plain.agree(lambda server: Caller(server).info(descriptor)) == bad_argument(_NO_JSON)


@pytest.mark.parametrize("name", ["missing", "null", '""', "{}", "[]"])
def test_a_command_names_its_function(plain: Pair, name: str) -> None:
    text = "{}" if name == "missing" else f'{{"functionName":{name}}}'
    assert plain.agree(lambda server: Caller(server).info(text.encode())) == bad_argument(_NO_NAME)


@pytest.mark.parametrize("name", ["nope", "table", " Table", "Table ", "Tablé", "'", "x" * 200])
def test_the_name_of_a_function_matches_exactly(plain: Pair, name: str) -> None:
    expected = bad_argument(f"Unsupported FlexConnect function '{name}'.")
    assert plain.agree(lambda server: Caller(server).info(command(name))) == expected


def test_a_long_name_is_cut_in_the_message(plain: Pair) -> None:
    failure = plain.agree(lambda server: Caller(server).info(command("n" * 5_000)))
    assert failure == bad_argument(f"Unsupported FlexConnect function '{'n' * 5_000}'."[:256] + " [truncated]")


@pytest.mark.parametrize(
    ("function", "parameters"),
    [("Sleeper", {"seconds": 20}), ("Stubborn", {})],
)
def test_a_call_past_its_deadline_is_cancelled(brisk: Pair, function: str, parameters: dict) -> None:
    key = f"deadline-{function}"
    late = command(function, key=key, **parameters)
    failure = brisk.agree(lambda server: Caller(server).info(late))
    expected = failed("GetFlightInfo timed out while waiting for task <task>.", 100, "FlightTimedOutError")
    assert failure == expected

    end = "cancelled" if function == "Sleeper" else "finished"

    def finish(server: Server) -> list[str]:
        server.release(f"release-{key}")
        return server.await_events(key, "hook", end)

    assert brisk.agree(finish) == sorted(["started", "hook", end])


def test_a_result_goes_to_whoever_has_the_ticket(plain: Pair) -> None:
    def hand_over(server: Server) -> object:
        ticket = Caller(server, ("x-user", "one")).submit(command("Table"))
        return Caller(server, ("x-user", "two")).read(ticket).rows

    assert plain.agree(hand_over) == [(1, "one", 0.5), (2, None, None), (3, "tři", -1.0)]
