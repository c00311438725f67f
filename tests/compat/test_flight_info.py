"""GetFlightInfo without polling: commands, answers, refusals, the deadline."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from harness.answers import Endpoint, failed
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server


def test_the_answer_tells_where_to_read_the_result(plain: Pair) -> None:
    info = plain.agree(lambda server: Caller(server).info(command("Table")))
    assert info.descriptor == ("CMD", command("Table"))
    assert info.endpoints == (Endpoint('{"task_id":"<task>"}', ("grpc://localhost:<port>",), False, b""),)
    assert (info.totals, info.ordered, info.app_metadata) == ((-1, -1), False, b"")


def test_identical_commands_are_separate_tasks(plain: Pair) -> None:
    for tickets in plain.ask(lambda s: {Caller(s).submit(command("Table")) for _ in range(5)}).values():
        assert len(tickets) == 5


def test_many_calls_at_once(plain: Pair) -> None:
    def ask(server: Server) -> list[int]:
        with ThreadPoolExecutor(64) as pool:
            return [len(rows.rows) for rows in pool.map(lambda _: Caller(server).call("Table"), range(64))]

    assert plain.agree(ask) == [3] * 64


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
