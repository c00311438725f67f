"""Streams: pulled in spells, made while they are read, ended when nobody wants them."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from harness.events import event
from harness.server import Slot, Worker
from harness.wire import Packet


def _open(slot: Slot, **parameters: Any) -> tuple[int, bytes]:
    answer = slot.call("Stream", json.dumps(parameters).encode())
    assert answer.op == "stream", answer
    return answer.head["stream"], answer.body


def _rows(schema: bytes, packets: list[Packet]) -> list[Any]:
    stream = schema + b"".join(packet.body for packet in packets if packet.op == "batch")
    with pa.ipc.open_stream(pa.py_buffer(stream + b"\xff\xff\xff\xff\x00\x00\x00\x00")) as reader:
        return reader.read_all().column("x").to_pylist()


def test_a_stream_is_read_to_its_end(slot: Slot) -> None:
    number, schema = _open(slot, how="numbers", count=3)
    assert pa.ipc.read_schema(pa.py_buffer(schema)).metadata == {b"a": b"b"}
    packets = slot.pull(number)
    assert [packet.op for packet in packets] == ["batch"] * 3 + ["end"]
    assert _rows(schema, packets) == [0, 1, 2]


def test_a_spell_ends_at_each_of_its_limits(slot: Slot) -> None:
    number, _ = _open(slot, how="numbers", count=100)
    assert [packet.op for packet in slot.pull(number, batches=2)] == ["batch", "batch", "rest"]
    assert [packet.op for packet in slot.pull(number, size=1)] == ["batch", "rest"]
    assert [packet.op for packet in slot.pull(number, time=0)] == ["batch", "rest"]
    assert len(slot.pull(number)) == 97


def test_a_spell_takes_any_slot(worker: Worker) -> None:
    number, schema = _open(worker.slots[0], how="numbers", count=4)
    packets = [packet for slot in worker.slots for packet in slot.pull(number, batches=1)]
    assert _rows(schema, packets) == [0, 1, 2, 3]


def test_a_generator_makes_no_more_than_was_asked_for(fresh: Worker) -> None:
    slot = fresh.slots[0]
    number, _ = _open(slot, how="numbers", count=1_000_000)
    slot.pull(number, batches=3)
    slot.call("Talk", b'{"what": "print"}')
    said = []
    while "to stdout" not in said:
        said += [each["event"] for each in fresh.inbox.next("log").head["events"] if each["logger"] == "stdout"]
    assert said == ["makes 0", "makes 1", "makes 2", "to stdout"]


def test_empty_batches_are_batches(slot: Slot) -> None:
    number, schema = _open(slot, how="numbers", count=2, rows=0)
    packets = slot.pull(number)
    assert [packet.op for packet in packets] == ["batch", "batch", "end"]
    assert _rows(schema, packets) == []


def test_large_batches_come_in_memfds(slot: Slot) -> None:
    number, schema = _open(slot, how="numbers", count=3, rows=100_000)
    packets = slot.pull(number)
    assert [packet.handed_over for packet in packets] == [True, True, True, False]
    assert len(_rows(schema, packets)) == 300_000


def test_a_dictionary_comes_again_when_it_changes(slot: Slot) -> None:
    number, schema = _open(slot, how="words")
    packets = slot.pull(number)
    assert _rows(schema, packets) == ["a", "b", "a", "b", "c"]
    assert len(packets[1].body) < len(packets[0].body)


@pytest.mark.parametrize(
    ("how", "kind", "code", "message"),
    [
        ("raises", "server", 5, "There was an error while running task: half way"),
        ("raises info", "unavailable", 1500, "told"),
        (
            "exits",
            "server",
            5,
            "There was an error while running task: the function raised SystemExit (1), which would end its process",
        ),
        (
            "other schema",
            "server",
            1,
            "a batch has another schema than its stream: (x: string) instead of (x: int64)",
        ),
    ],
)
def test_a_stream_that_fails_says_why(slot: Slot, how: str, kind: str, code: int, message: str) -> None:
    number, _ = _open(slot, how=how)
    packets = slot.pull(number)
    assert [packet.op for packet in packets] == ["batch", "error"]
    told = packets[-1].head
    assert (told["kind"], told["code"], told["message"]) == (kind, code, message)
    assert slot.pull(number)[0].head["code"] == 1


def test_a_dropped_stream_ends_its_generator(fresh: Worker) -> None:
    slot = fresh.slots[0]
    number, _ = _open(slot, how="numbers", count=1_000)
    slot.pull(number, batches=1)
    fresh.inbox.send("drop", stream=number)
    assert event(fresh, "generator ended")["function"] == "Stream"
    assert slot.pull(number)[0].op == "error"


def test_a_stream_that_is_dropped_while_it_runs_ends_after_its_batch(fresh: Worker, gate: Callable[[], None]) -> None:
    slot = fresh.slots[0]
    number, _ = _open(slot, how="waits", gate=gate.path)
    slot.wire.send("pull", stream=number, batches=10, bytes=1 << 30, time=60_000)
    assert slot.answer().op == "batch"
    event(fresh, "waits in the stream")
    fresh.inbox.send("drop", stream=number)
    assert fresh.slots[1].call("Tiny").op == "table"
    gate()
    assert [slot.answer().op, slot.answer().op] == ["batch", "end"]


def test_a_cancelled_stream_ends_between_its_batches(fresh: Worker, gate: Callable[[], None]) -> None:
    slot = fresh.slots[0]
    task = slot.begin("Stream", json.dumps({"how": "waits", "gate": gate.path}).encode())
    number = slot.answer().head["stream"]
    slot.wire.send("pull", stream=number, batches=10, bytes=1 << 30, time=60_000)
    assert slot.answer().op == "batch"
    event(fresh, "waits in the stream")
    fresh.inbox.send("cancel", task=task)
    # What the worker reads next shows that it has read the cancellation.
    fresh.inbox.send("metrics")
    fresh.inbox.next("metrics")
    gate()
    assert slot.answer().op == "batch"
    last = slot.answer()
    assert (last.op, last.head["kind"], last.head["code"]) == ("error", "cancelled", 6)
