"""What functions write and log: each line an event, with the task that it belongs to."""

import json
from typing import Any

import pytest
from harness.events import event
from harness.server import Server, Worker

_TRACE, _SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _said(worker: Worker, what: str, needle: str, **fields: Any) -> dict[str, Any]:
    task = worker.slots[0].begin("Talk", json.dumps({"what": what}).encode(), **fields)
    assert worker.slots[0].answer().op == "table"
    told = event(worker, needle)
    assert isinstance(told["time"], int)
    assert (told["task"], told["function"]) == (task, "Talk")
    return told


@pytest.mark.parametrize(
    ("what", "needle", "level", "logger"),
    [
        ("print", "to stdout", "info", "stdout"),
        ("stderr", "to stderr", "info", "stderr"),
        ("unfinished", "no end of line", "info", "stdout"),
        ("bytes", "as bytes", "info", "stdout"),
        ("copied thread", "from a copied context", "info", "stdout"),
        ("asyncio", "first", "info", "stdout"),
        ("log", "logged 1", "info", "talking"),
        ("exception", "it failed", "error", "talking"),
        ("structured", "structured event", "warning", "structured"),
        ("warning", "UserWarning: be warned", "warning", "py.warnings"),
        ("control", "\x01" * 1_000, "info", "stdout"),
        ("many fields", "big", "info", "talking"),
    ],
)
def test_what_a_function_says_is_an_event(worker: Worker, what: str, needle: str, level: str, logger: str) -> None:
    told = _said(worker, what, needle)
    assert (told["level"], told["logger"]) == (level, logger)


def test_fields_are_kept(worker: Worker) -> None:
    fields = _said(worker, "log", "logged 1")["fields"]
    assert fields.pop("object").startswith("<object object at")
    assert fields == {"rows": 3}
    fields = _said(worker, "structured", "structured event")["fields"]
    assert fields == {"rows": 3, "tags": ["a", "b"], "raw": "text", "customer": "c"}
    assert "KeyError: 'lost'" in _said(worker, "exception", "it failed")["fields"]["exception"]


def test_a_thread_of_its_own_has_no_task(worker: Worker) -> None:
    worker.slots[0].call("Talk", b'{"what": "plain thread"}')
    assert "task" not in event(worker, "from nowhere")
    worker.slots[0].call("Talk", b'{"what": "failing thread"}')
    told = event(worker, "ended with an exception")
    assert (told["level"], told["logger"]) == ("error", "threading")
    assert "ZeroDivisionError" in told["fields"]["exception"]


def test_long_lines_are_cut_and_the_rest_counted(worker: Worker) -> None:
    told = _said(worker, "long line", "xxx")
    assert told["event"] == "x" * 8_192
    assert told["fields"] == {"cut": 1_000_000 - 8_192}


def test_events_come_before_the_answer(fresh: Worker) -> None:
    for _ in range(5):
        fresh.slots[0].call("Talk", b'{"what": "print"}')
        assert event(fresh, "to stdout")


def test_details_are_left_out_unless_asked_for(worker: Worker, server: Server) -> None:
    worker.slots[0].call("Talk", b'{"what": "debug"}')
    _said(worker, "print", "to stdout")
    other = server.ready("talking", logging={"level": "debug", "ini": None})
    assert _said(other, "debug", "a detail")["level"] == "debug"


def test_events_are_in_the_trace_of_their_call(worker: Worker) -> None:
    trace = {"traceparent": f"00-{_TRACE}-{_SPAN}-01", "tracestate": None}
    told = _said(worker, "print", "to stdout", trace=trace)
    assert (told["trace"], told["span"]) == (_TRACE, _SPAN)
    assert _said(worker, "print", "to stdout", trace={"traceparent": "broken"})["task"]
    assert "trace" not in _said(worker, "print", "to stdout")


def test_spans_of_functions_are_exported_as_children_of_the_task(server: Server) -> None:
    tracing = {"exporter_type": "console", "service_name": "test"}
    worker = server.ready("talking", server={"otel_config": tracing})
    told = _said(worker, "span", "in a span", trace={"traceparent": f"00-{_TRACE}-{_SPAN}-01"})
    assert told["trace"] == _TRACE
    assert told["span"] != _SPAN
    worker.inbox.send("stop")
    lines = [each["event"] for each in _all_events(worker) if each["logger"] == "stdout"]
    assert any(f'"parent_id": "0x{_SPAN}"' in line for line in lines)
    assert any(told["span"] in line for line in lines)


def test_a_flood_is_bounded_and_counted(fresh: Worker) -> None:
    assert fresh.slots[0].call("Talk", b'{"what": "flood"}').op == "table"
    fresh.inbox.send("stop")
    logs = [packet.head for packet in fresh.inbox.ended() if packet.op == "log"]
    seen = sum(1 for log in logs for each in log["events"] if each["logger"] == "stderr")
    dropped = sum(log.get("dropped", 0) for log in logs)
    assert seen + dropped == 20_000


def test_what_goes_past_python_comes_from_the_host(worker: Worker) -> None:
    worker.slots[0].call("Talk", b'{"what": "past python"}')
    assert b"past python\n" in worker.output("stdout", b"past python\n")
    assert b"an error past python?\n" in worker.output("stderr", b"past python")
    worker.slots[0].call("Talk", b'{"what": "program"}')
    worker.slots[0].call("Talk", b'{"what": "program to stdout"}')
    assert b"to my stdout" in worker.output("stdout", b"to my stdout")


def test_a_flood_past_python_never_blocks_and_is_counted(server: Server, fresh: Worker) -> None:
    assert fresh.slots[0].call("Talk", b'{"what": "flood past python"}').op == "table"
    fresh.inbox.send("stop")
    fresh.exited()
    packets = [packet for packet in server.host.kept("output") if packet.head["worker"] == fresh.number]
    assert sum(len(packet.body) for packet in packets) < 3_000_000
    assert sum(packet.head.get("dropped", 0) for packet in packets) > 50_000_000
    assert all(packet.body.endswith(b"\n") for packet in packets[:-1])


def test_metrics_are_collected_when_asked_for(worker: Worker) -> None:
    worker.slots[0].call("Talk", b'{"what": "count"}')
    worker.inbox.send("metrics")
    text = worker.inbox.next("metrics").body.decode()
    assert "talking_calls_total 1.0" in text


def _all_events(worker: Worker) -> list[dict[str, Any]]:
    return [each for packet in worker.inbox.ended() if packet.op == "log" for each in packet.head["events"]]
