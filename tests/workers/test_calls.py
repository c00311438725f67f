"""Calls: what functions get, and what becomes of their results."""

import json
from typing import Any

import plain
import pyarrow as pa
import pytest
from harness.server import Slot


def _given(slot: Slot, parameters: bytes, **fields: Any) -> str:
    return slot.call("Given", parameters, **fields).table().column("given")[0].as_py()


def test_a_small_table_lies_in_the_packet(slot: Slot) -> None:
    answer = slot.call("Tiny")
    assert not answer.handed_over
    assert answer.table().column("id").to_pylist() == list(range(10))


def test_a_large_table_comes_in_a_memfd(slot: Slot) -> None:
    answer = slot.call("Wide", b'{"rows": 1000000}')
    assert answer.handed_over
    assert answer.table().column("id").to_pylist()[-1] == 999_999


@pytest.mark.parametrize("rows", range(3_900, 4_200, 50))
def test_tables_around_the_border_come_whole(slot: Slot, rows: int) -> None:
    assert slot.call("Wide", json.dumps({"rows": rows}).encode()).table().num_rows == rows


@pytest.mark.parametrize("parameters", [b"", b"null", b"false", b"0", b'""', b"[]", b"{}"])
def test_falsy_parameters_are_none(slot: Slot, parameters: bytes) -> None:
    assert _given(slot, parameters) == "({}, None, {})"


def test_columns_stay_what_they_are(slot: Slot) -> None:
    assert _given(slot, b'{"columns": ["a"], "x": 1}') == "({'columns': ['a'], 'x': 1}, ['a'], {})"
    assert _given(slot, b'{"columns": "a"}') == "({'columns': 'a'}, 'a', {})"


def test_headers_are_lists_and_binary_ones_bytes(slot: Slot) -> None:
    headers = {"a": ["1", "2"], "b-bin": ["AAE="]}
    assert _given(slot, b"{}", headers=headers) == "({}, None, {'a': ['1', '2'], 'b-bin': [b'\\x00\\x01']})"


def test_large_parameters_come_in_a_memfd(slot: Slot) -> None:
    assert len(_given(slot, json.dumps({"text": "x" * 3_000_000}).encode())) > 3_000_000


@pytest.mark.parametrize("name", plain.TABLES)
def test_no_table_is_changed_on_the_way(slot: Slot, name: str) -> None:
    expected = plain.TABLES[name]
    answer = slot.call("Odd", json.dumps({"table": name}).encode())
    assert answer.table().equals(expected)
    assert answer.table().schema.equals(expected.schema, check_metadata=True)
    with pa.ipc.open_stream(pa.py_buffer(answer.body)) as reader:
        assert [len(batch) for batch in reader] == [len(batch) for batch in expected.to_batches()]


def test_a_function_that_is_not_there_is_a_bad_argument(slot: Slot) -> None:
    answer = slot.call("Nowhere")
    assert (answer.op, answer.head["code"]) == ("error", 1)
    assert answer.head["message"] == "Unsupported FlexConnect function 'Nowhere'."


def test_parameters_that_are_no_object_are_a_bad_argument(slot: Slot) -> None:
    assert slot.call("Tiny", b"[1]").head["code"] == 1
