"""GetFlightInfo with the polling extension: submit, ask again, cancel, and the deadline over all of it."""

import json
from base64 import b64decode

import pytest
from harness import protobuf, wire
from harness.answers import Failure, FlightAnswer, Rows, bad_argument, failed, mask
from harness.caller import POLL_CODE, POLLABLE, Caller, Pending, command
from harness.pair import Pair
from harness.server import Server
from harness.waiting import wait_until

_NO_TASK = "0123456789abcdef0123456789abcdef"
_NOT_THERE = bad_argument("Task with id '<task>' does not exist.")
_CANCELLED = failed("FlexConnect function invocation was cancelled.", 6, "FlightCancelledError")
_WAS_CANCELLED = failed("FlexConnect function invocation was cancelled. Invocation task was: '<task>'.", 6)
_POLL = failed("Work in progress. Retry.", POLL_CODE, "FlightTimedOutError", body=b"<retry info>")
_TIMEOUT = failed("GetFlightInfo timed out while waiting for task <task>.", 100, "FlightTimedOutError")


def _polling(server: Server):
    return Caller(server).pollable()


def test_a_long_call_is_asked_for_again_until_it_ends(plain: Pair) -> None:
    slow = command("Stubborn", key="asked-again")

    def ask(server: Server) -> tuple[Failure, Failure, FlightAnswer, Rows]:
        caller = Caller(server)
        submitted = _polling(server).info(slow)
        asked = _polling(server).info(submitted.retry)
        assert asked.task_id == submitted.task_id
        server.release("release-asked-again")
        answer = _polling(server).finish(submitted)
        ticket = json.dumps({"task_id": submitted.task_id}).encode()
        return submitted.failure, asked.failure, answer, caller.read(ticket).rows

    first, second, answer, rows = plain.agree(ask)
    assert (first, second) == (_POLL, _POLL)
    assert answer.descriptor == ("CMD", slow)
    assert rows == [("released",)]


def test_a_finished_call_can_be_asked_for_again(plain: Pair) -> None:
    def ask(server: Server) -> list[FlightAnswer]:
        caller = _polling(server)
        pending = caller.start("Sleeper", key="finished", seconds=0.5)
        return [caller.finish(pending) for _ in range(3)]

    answers = plain.agree(ask)
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].descriptor == ("CMD", command("Sleeper", key="finished", seconds=0.5))


def test_the_retry_info_is_compact_json_in_a_fixed_order(plain: Pair) -> None:
    request = wire.descriptor(command("Sleeper", key="retry-info", seconds=2))

    def ask(server: Server) -> tuple[str, list[bytes]]:
        answer = wire.call(server, "GetFlightInfo", request, POLLABLE)
        info = json.loads(answer.trailers["grpc-status-details-bin"])
        retry = json.loads(b64decode(info["body"], validate=True))
        text = b64decode(info["body"]).decode()
        assert text == json.dumps(retry, separators=(",", ":"))
        descriptors = [b64decode(retry[name], validate=True) for name in ("retry_descriptor", "cancel_descriptor")]
        assert [each[:4] for each in descriptors] == [b'\x08\x02\x12"'] * 2
        commands = [protobuf.first(each, 2) for each in descriptors]
        return (
            answer.status,
            list(retry),
            retry["flight_info"],
            [mask(each.decode()[2:]) for each in commands],
            [each[:2] for each in commands],
        )

    keys = ["flight_info", "retry_descriptor", "cancel_descriptor"]
    assert plain.agree(ask) == ("DEADLINE_EXCEEDED", keys, None, ["<task>", "<task>"], [b"r:", b"c:"])


@pytest.mark.parametrize("value", ["", "false", "0", "anything"])
def test_the_presence_of_the_header_is_enough(plain: Pair, value: str) -> None:
    retry = f"r:{_NO_TASK}".encode()
    assert plain.agree(lambda server: Caller(server).info(retry, (POLLABLE[0], value))) == _NOT_THERE


@pytest.mark.parametrize("task", [_NO_TASK, "", "no id at all", "🦀"])
def test_asking_for_a_task_that_is_not_there(plain: Pair, task: str) -> None:
    failure = plain.agree(lambda server: _polling(server).info(f"r:{task}".encode()))
    assert failure == bad_argument(f"Task with id '{mask(task)}' does not exist.")


def test_cancelling_a_running_call(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        pending = caller.start("Sleeper", key="cancel-running", seconds=20)
        cancelled = caller.info(pending.cancel)
        events = server.await_events("cancel-running", "hook", "cancelled")
        after = wait_until("the end of the call", lambda: _ended(caller.info(pending.retry)))
        ticket = json.dumps({"task_id": pending.task_id}).encode()
        return cancelled, after, Caller(server).read(ticket), events

    cancelled, after, read, events = plain.agree(ask)
    assert cancelled == _CANCELLED
    assert after == _WAS_CANCELLED
    assert read.info == _WAS_CANCELLED.info
    assert events == ["cancelled", "hook", "started"]


def test_a_call_that_ignores_its_cancellation_runs_on_and_its_result_is_dropped(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        pending = caller.start("Stubborn", key="cancel-stubborn")
        answers = [caller.info(pending.cancel), caller.info(pending.cancel), caller.info(pending.retry)]
        events = server.await_events("cancel-stubborn", "hook")
        server.release("release-cancel-stubborn")
        end = caller.finish(pending)
        return (
            [getattr(each, "failure", each) for each in answers],
            events,
            end,
            server.await_events("cancel-stubborn", "finished"),
        )

    answers, meanwhile, end, events = plain.agree(ask)
    assert answers == [_CANCELLED, _CANCELLED, _POLL]
    assert meanwhile == ["hook", "started"]
    assert end == _WAS_CANCELLED
    assert events == ["finished", "hook", "started"]


def test_cancelling_a_failed_call_removes_its_failure(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        pending = caller.start("Sleeper", key="cancel-failed", seconds=20)
        caller.info(pending.cancel)
        recorded = caller.finish(pending)
        return recorded, caller.info(pending.cancel), caller.info(pending.retry)

    assert plain.agree(ask) == (_WAS_CANCELLED, _CANCELLED, _NOT_THERE)


def test_cancelling_without_the_header_is_no_cancellation(plain: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        pending = caller.start("Stubborn", key="no-header")
        refused = Caller(server).info(pending.cancel)
        server.release("release-no-header")
        return refused.code, caller.finish(pending).endpoints[0].ticket, server.events("no-header")

    assert plain.agree(ask) == (1, '{"task_id":"<task>"}', ["started", "finished"])


def test_a_queued_call_is_dropped_when_it_is_cancelled(brisk: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        first = [caller.start("Stubborn", key=f"busy-{n}") for n in range(2)]
        queued = caller.start("Stubborn", key="queued")
        cancelled = caller.info(queued.cancel)
        asked = caller.info(queued.retry)
        for n in range(2):
            server.release(f"release-busy-{n}")
        for pending in first:
            caller.finish(pending)
        return cancelled, asked, server.events("queued")

    assert brisk.agree(ask) == (_CANCELLED, _WAS_CANCELLED, [])


def test_polls_end_at_the_deadline_of_the_call(brisk: Pair) -> None:
    def ask(server: Server) -> tuple:
        caller = _polling(server)
        pending = caller.start("Stubborn", key="past-deadline")
        late = caller.finish(pending)
        again = caller.info(pending.retry)
        server.release("release-past-deadline")
        end = wait_until("the end of the call", lambda: _unlike(_TIMEOUT, caller.info(pending.retry)))
        return late, again, end, server.await_events("past-deadline", "hook", "finished")

    late, again, end, events = brisk.agree(ask)
    assert (late, again) == (_TIMEOUT, _TIMEOUT)
    assert end == _WAS_CANCELLED
    assert events == ["finished", "hook", "started"]


def _ended(answer: Pending | Failure) -> Failure | None:
    return None if isinstance(answer, Pending) else answer


def _unlike(failure: Failure, answer: Pending | Failure) -> Pending | Failure | None:
    return None if answer == failure else answer
