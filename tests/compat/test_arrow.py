"""Rows of every type, whole and cut, as tables and as streams: what is read is what the function returned."""

from collections.abc import Sequence

import pyarrow as pa
import pytest
from columns import columns
from harness.answers import Rows
from harness.caller import Caller
from harness.pair import Pair
from harness.server import Server

_COLUMNS = columns()
# Offset and length: whole; from within a byte of a bitmap to within the same; over its edge; nothing.
_WINDOWS = ((0, 21), (3, 4), (5, 13), (20, 1), (9, 0))


@pytest.mark.parametrize("stream", [False, True], ids=["table", "stream"])
@pytest.mark.parametrize("name", _COLUMNS)
def test_a_column_of_every_type(plain: Pair, name: str, stream: bool) -> None:
    column = pa.concat_arrays([_COLUMNS[name]] * 3)
    batches = [pa.record_batch([part], ["column"]) for part in (column, column[1:])]
    for window in _WINDOWS:
        cut = [batch.slice(*window) for batch in batches]
        _check(plain, batches, cut, stream=stream, window=window)


def test_many_columns_at_once(plain: Pair) -> None:
    names = [f"{name} {n}" for n in range(3) for name in _COLUMNS]
    whole = pa.record_batch(list(_COLUMNS.values()) * 3, names)
    for stream in (False, True):
        _check(plain, [whole] * 2, [whole.slice(2, 4)] * 2, stream=stream, window=(2, 4))


def test_dictionaries_that_grow_and_change(plain: Pair) -> None:
    words = [["a"], ["a", "b"], ["a", "b", "c"], ["x"], ["x"], []]
    batches = [pa.record_batch([pa.array(each, pa.string()).dictionary_encode()], ["word"]) for each in words]
    _check(plain, batches, batches, stream=True)


@pytest.mark.parametrize("stream", [False, True], ids=["table", "stream"])
def test_a_hundred_megabytes(plain: Pair, stream: bool) -> None:
    numbers = pa.array(range(3_200_000), pa.int64())
    texts = numbers.cast(pa.string()).cast(pa.string_view())
    whole = pa.record_batch([numbers, texts, numbers.cast(pa.float64())], ["n", "text", "ratio"])
    batches = [whole.slice(at, 1_600_000) for at in (0, 1_600_000)]
    assert sum(batch.nbytes for batch in batches) > 100_000_000
    _check(plain, batches, batches, stream=stream)


def test_a_thousand_columns(plain: Pair) -> None:
    batch = pa.record_batch([pa.array([n, None]) for n in range(1_000)], [f"column {n}" for n in range(1_000)])
    _check(plain, [batch], [batch], stream=False)


def _check(pair: Pair, stored: Sequence[pa.RecordBatch], cut: Sequence[pa.RecordBatch], **parameters: object) -> None:
    """Both servers return what was cut from the stored batches, or all of them."""
    schema = stored[0].schema
    expected = pa.Table.from_batches(cut, schema)

    def ask(server: Server) -> Rows:
        with pa.ipc.new_stream(server.stage / "rows", schema) as file:
            for batch in stored:
                file.write_batch(batch)
        answer = Caller(server).call("Stored", file="rows", **parameters)
        assert isinstance(answer, Rows), answer
        return answer

    for kind, answer in pair.ask(ask).items():
        assert answer.failure is None, kind
        answer.table.validate(full=True)
        assert answer.table.schema.equals(schema, check_metadata=True), kind
        assert answer.table.equals(expected), kind
