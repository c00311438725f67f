"""Ends: of calls, workers, hosts and the server, in order or not; what is told of them, and that nothing is left."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from harness.events import event
from harness.processes import descriptors, in_group, is_alive, wait_until_gone
from harness.server import PACKAGE, Server, Worker

MODULES = ("plain", "harmful", "talking")


def _harm(worker: Worker, how: str, **more: str) -> None:
    worker.slots[0].begin("Harm", json.dumps({"how": how} | more).encode())


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        ("exit code", {"code": 7}),
        ("segfault", {"signal": signal.SIGSEGV}),
        ("kill", {"signal": signal.SIGKILL}),
        ("close all", {"code": 70}),
    ],
)
def test_the_host_says_how_a_worker_ended(server: Server, fresh: Worker, how: str, ended: dict[str, int]) -> None:
    _harm(fresh, how)
    assert fresh.slots[0].wire.receive() is None
    assert fresh.exited() == {"op": "exited", "worker": fresh.number, **ended, "oom": False}
    if how == "segfault":
        said = b"".join(packet.body for packet in server.host.kept("output") if packet.head["worker"] == fresh.number)
        assert b"Fatal Python error: Segmentation fault" in said
        assert b"in <lambda>" in said


@pytest.mark.parametrize(("how", "number"), [("terminate", signal.SIGTERM), ("interrupt", signal.SIGINT)])
def test_a_signal_of_its_own_ends_a_worker(
    fresh: Worker, gate: Callable[[], None], how: str, number: signal.Signals
) -> None:
    fresh.slots[1].call("Harm", b'{"how": "at exit"}')
    _harm(fresh, how, gate=gate.path)
    assert fresh.exited()["signal"] == number
    assert any(each["event"] == "at exit" for log in fresh.inbox.ended() for each in log.head.get("events", []))


@pytest.mark.parametrize(
    ("name", "number"), [("TERM", signal.SIGTERM), ("ABRT", signal.SIGABRT), ("KILL", signal.SIGKILL)]
)
def test_the_server_has_a_worker_killed(
    server: Server, fresh: Worker, gate: Callable[[], None], name: str, number: signal.Signals
) -> None:
    fresh.slots[0].begin("Wait", json.dumps({"gate": gate.path}).encode())
    event(fresh, "waits")
    server.host.send("kill", worker=fresh.number, signal=name)
    assert fresh.exited()["signal"] == number
    if name == "ABRT":
        said = b"".join(packet.body for packet in server.host.kept("output") if packet.head["worker"] == fresh.number)
        assert b"talking.py" in said


@pytest.mark.parametrize("how", ["at exit", "hang at exit", "fail at exit", "endless thread"])
def test_stop_ends_a_worker_whatever_its_code_does(fresh: Worker, how: str) -> None:
    assert fresh.slots[0].call("Harm", json.dumps({"how": how}).encode()).op == "table"
    fresh.inbox.send("stop", time=300)
    assert fresh.exited()["code"] == 0
    events = [each["event"] for log in fresh.inbox.ended() for each in log.head.get("events", [])]
    assert ("at exit" in events) == (how == "at exit")


def test_stop_ends_a_worker_without_functions(server: Server) -> None:
    worker = server.start_worker()
    worker.inbox.send("stop")
    assert worker.exited()["code"] == 0


@pytest.mark.parametrize("how", ["fork and return", "fork and write"])
def test_a_forked_child_answers_nothing(fresh: Worker, how: str) -> None:
    slot = fresh.slots[0]
    assert slot.call("Harm", json.dumps({"how": how}).encode()).op == "table"
    assert slot.call("Tiny").op == "table"
    if how == "fork and write":
        assert b"from a child\n" in fresh.output("stderr", b"from a child\n")


def test_what_a_worker_started_ends_with_it(server: Server, fresh: Worker) -> None:
    fresh.slots[0].call("Harm", b'{"how": "leave program"}')
    left = int(event(fresh, "left")["event"].split()[1])
    fresh.slots[0].call("Harm", b'{"how": "leave orphan"}')
    orphan = int(fresh.output("stdout", b"orphan ").split(b"orphan ")[1])
    assert is_alive(left)
    assert is_alive(orphan)
    server.host.send("kill", worker=fresh.number, signal="KILL")
    fresh.exited()
    wait_until_gone(left, orphan)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x01", b"a packet of 1 bytes"),
        (b"\xff\x00\x00\x00{}", b"a head of 255 bytes"),
        (b"\x02\x00\x00\x00[]", b"a head is no object"),
        (b"\x03\x00\x00\x00{]}", b"a head is no JSON"),
        (b"\x10\x00\x00\x00" + b'{"op":"cancel" }', b"KeyError"),
        (b"x" * 65_537, b"a packet is too long"),
    ],
)
def test_a_worker_that_is_told_nonsense_ends(server: Server, fresh: Worker, data: bytes, words: bytes) -> None:
    fresh.inbox.wire.raw(data)
    assert fresh.exited()["code"] == 70
    said = b"".join(packet.body for packet in server.host.kept("output") if packet.head["worker"] == fresh.number)
    assert words in said


def test_an_unknown_field_and_an_unknown_packet_are_ignored(worker: Worker) -> None:
    worker.inbox.send("news", of="the future")
    assert worker.slots[0].call("Tiny", future=1).op == "table"


def test_the_end_of_a_connection_ends_the_worker(fresh: Worker) -> None:
    fresh.slots[0].wire.close()
    fresh.exited()
    assert not is_alive(fresh.pid)


def test_nothing_is_left_when_the_server_ends(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.start_host()
        worker = server.ready(*MODULES, slots=2)
        worker.slots[0].call("Harm", b'{"how": "leave program"}')
        left = int(event(worker, "left")["event"].split()[1])
        worker.slots[0].call("Harm", b'{"how": "leave orphan"}')
        orphan = int(worker.output("stdout", b"orphan ").split(b"orphan ")[1])
        assert is_alive(orphan)
    assert server.process is not None
    assert server.process.returncode == 0
    wait_until_gone(worker.pid, left, orphan)


def test_nothing_is_left_when_the_host_is_killed(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.start_host()
        worker = server.ready(*MODULES)
        worker.slots[0].call("Harm", b'{"how": "leave program"}')
        left = int(event(worker, "left")["event"].split()[1])
        worker.slots[0].call("Harm", b'{"how": "leave orphan"}')
        orphan = int(worker.output("stdout", b"orphan ").split(b"orphan ")[1])
        assert server.process is not None
        server.process.kill()
        server.process.wait()
        wait_until_gone(worker.pid, left, orphan)
        assert in_group(worker.pid) == []


def test_a_terminated_host_ends_its_workers_in_order(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.start_host()
        worker = server.ready(*MODULES)
        worker.slots[0].call("Harm", b'{"how": "at exit"}')
        assert server.process is not None
        server.process.terminate()
        assert worker.exited()["signal"] == signal.SIGTERM
        assert server.process.wait(30) == 0
    assert not is_alive(worker.pid)


def test_a_host_beside_the_server_waits_for_the_next_one(tmp_path: Path) -> None:
    with Server(tmp_path, once=False) as first:
        first.start_host()
        process = first.process
        worker = first.ready("plain")
        first.process = None
    wait_until_gone(worker.pid)
    first.path.unlink()
    with Server(tmp_path, once=False) as second:
        second.process = process
        second.meet_host()
        assert second.ready("plain").slots[0].call("Tiny").op == "table"


def test_a_host_that_is_told_nonsense_ends_with_its_workers(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.start_host()
        worker = server.start_worker()
        server.host.wire.raw(b"\x02\x00\x00\x00[]")
        assert server.process is not None
        assert server.process.wait(30) == 1
        wait_until_gone(worker.pid)


def test_descriptors_do_not_grow(server: Server, worker: Worker) -> None:
    assert server.process is not None
    large = json.dumps({"rows": 10_000, "text": "x" * 100_000}).encode()

    def use() -> tuple[int, int]:
        other = server.ready("plain")
        other.inbox.send("stop")
        other.exited()
        for _ in range(20):
            assert worker.slots[0].call("Wide", large).handed_over
            worker.slots[0].call("Fail", b'{"how": "value"}')
            number = worker.slots[0].call("Stream", b'{"how": "numbers", "count": 3, "rows": 10000}').head["stream"]
            worker.slots[0].pull(number)
        return descriptors(server.process.pid), descriptors(worker.pid)

    assert use() == use()


def test_children_inherit_nothing_of_the_server(worker: Worker) -> None:
    worker.slots[0].call("Talk", b'{"what": "descriptors"}')
    listed = worker.output("stdout", b"end of descriptors\n")
    assert b"socket:" not in listed
    assert b"memfd:" not in listed


@pytest.mark.usefixtures("worker")
def test_memory_is_told_every_second(server: Server) -> None:
    told = server.host.next("memory").head["workers"]
    assert all(size > 1_000_000 for size in told.values())


def test_the_host_says_what_it_has(server: Server) -> None:
    hello = server.hello.head
    assert hello["protocol"] == 1
    assert hello["pid"] == server.process.pid
    assert hello["python"].startswith("3.")
    assert 1 <= hello["cpus"] <= os.cpu_count()
    assert hello["memory"] is None or hello["memory"] > 0


def test_the_package_hides_no_module_of_anybody(worker: Worker) -> None:
    worker.slots[0].call("Talk", b'{"what": "path"}')
    assert str(PACKAGE) not in event(worker, "path: ")["event"]
