"""Calls: what functions get, and what becomes of their results."""

import json

from harness.server import Server


def test_a_table_comes_inline(server: Server) -> None:
    answer = server.ready("plain").slots[0].call("Tiny")
    assert not answer.handed_over
    assert answer.table().column("id").to_pylist() == list(range(10))


def test_a_large_table_comes_in_a_memfd(server: Server) -> None:
    answer = server.ready("plain").slots[0].call("Wide", json.dumps({"rows": 100_000}).encode())
    assert answer.handed_over
    assert answer.table().num_rows == 100_000
