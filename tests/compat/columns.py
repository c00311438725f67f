"""A column of every type that Arrow has, with nulls, and with values at both ends of its range."""

import datetime
import decimal
from collections.abc import Iterator

import pyarrow as pa

_INTEGERS = {f"{sign}int{bits}": bits for sign in ("", "u") for bits in (8, 16, 32, 64)}
_TEXTS = ["", "short", None, "a text of more than twelve bytes", "tři sta třicet tři", "🦀" * 9, None]
_LISTS = [[1, 2, 3], [], None, [None], [4], [5, 6, None, 8], []]
_DAY = datetime.date(2026, 2, 28)
_EPOCHS = [0, 1, None, -1, 1_700_000_000, -1_700_000_000, None]


def columns() -> dict[str, pa.Array]:
    """The columns by the names of their types; all have the same length."""
    return dict(_all())


def _all() -> Iterator[tuple[str, pa.Array]]:
    yield "null", pa.nulls(7)
    yield "bool", pa.array([True, False, None, True, None, False, False])
    for name, bits in _INTEGERS.items():
        low, high = (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        yield name, pa.array([low, high, None, 0, 1, None, 2], getattr(pa, name)())
    for name in ("float16", "float32", "float64"):
        yield name, pa.array([0.5, -0.0, None, float("inf"), float("-inf"), 2.0**-14, None], getattr(pa, name)())
    yield from _decimals()
    yield from _times()
    yield from _bytes()
    yield from _nested()
    yield from _encoded()
    yield from _tagged()


def _decimals() -> Iterator[tuple[str, pa.Array]]:
    for bits, digits in ((32, 9), (64, 18), (128, 38), (256, 76)):
        most = decimal.Decimal((0, (9,) * digits, -2))
        values = [most, most.copy_negate(), None, decimal.Decimal("0.00"), decimal.Decimal("-0.01"), None, most]
        yield f"decimal{bits}", pa.array(values, getattr(pa, f"decimal{bits}")(digits, 2))


def _times() -> Iterator[tuple[str, pa.Array]]:
    yield "date32", pa.array([_DAY, None, datetime.date.min, datetime.date.max, _DAY, None, _DAY], pa.date32())
    yield "date64", pa.array([0, 86_400_000, None, -86_400_000, 0, None, 0], pa.date64())
    for width, units in ((32, ("s", "ms")), (64, ("us", "ns"))):
        for unit in units:
            yield f"time{width}[{unit}]", pa.array([0, 1, None, 3_599, 59, None, 2], getattr(pa, f"time{width}")(unit))
    for unit in ("s", "ms", "us", "ns"):
        yield f"timestamp[{unit}]", pa.array(_EPOCHS, pa.timestamp(unit))
        yield f"timestamp[{unit}, UTC]", pa.array(_EPOCHS, pa.timestamp(unit, "UTC"))
        yield f"duration[{unit}]", pa.array(_EPOCHS, pa.duration(unit))
    intervals = [(1, 2, 3), (-1, -2, -3), None, (0, 0, 0), (12, 0, 0), None, (0, 31, 10**15)]
    yield "interval", pa.array(intervals, pa.month_day_nano_interval())


def _bytes() -> Iterator[tuple[str, pa.Array]]:
    for name in ("string", "large_string", "string_view"):
        yield name, pa.array(_TEXTS, getattr(pa, name)())
    raw = [None if text is None else text.encode() for text in _TEXTS]
    for name in ("binary", "large_binary", "binary_view"):
        yield name, pa.array(raw, getattr(pa, name)())
    yield "binary(3)", pa.array([b"abc", b"\0\0\0", None, b"\xff" * 3, b"xyz", None, b"end"], pa.binary(3))
    yield "binary without values", pa.array([None] * 7, pa.binary())


def _nested() -> Iterator[tuple[str, pa.Array]]:
    for name in ("list_", "large_list", "list_view", "large_list_view"):
        yield name, pa.array(_LISTS, getattr(pa, name)(pa.int32()))
    yield "list_(2)", pa.array([[1, 2], [None, 3], None, [4, 5], [6, 7], None, [8, 9]], pa.list_(pa.int16(), 2))
    point = pa.struct([("x", pa.float64()), ("label", pa.string()), pa.field("id", pa.int32(), nullable=False)])
    points = [{"x": n / 2 if n % 2 else None, "label": _TEXTS[n], "id": n} for n in range(7)]
    yield "struct", pa.array([None if n == 2 else each for n, each in enumerate(points)], point)
    yield "struct of nothing", pa.array([{}, None, {}, {}, {}, None, {}], pa.struct([]))
    maps = [[("a", 1), ("b", None)], [], None, [("c", 3)], [("d", 4)] * 3, None, [("é", 5)]]
    yield "map", pa.array(maps, pa.map_(pa.string(), pa.int64()))
    deep = pa.list_(pa.struct([("tags", pa.list_(pa.string())), ("counts", pa.map_(pa.string(), pa.list_(pa.int8())))]))
    rows = [[{"tags": _TEXTS, "counts": [("k", [1, None])]}, None], [], None, [{"tags": None, "counts": []}]]
    yield "list of structs of lists and maps", pa.array([*rows, rows[0] * 2, None, rows[0]], deep)
    views = [[["a text of more than twelve bytes"]], [], None, [None, []], [["b", None]], None, [["c"] * 20]]
    yield "list of lists of views", pa.array(views, pa.list_(pa.list_(pa.string_view())))
    kinds = pa.array([0, 1, 0, 1, 0, 1, 0], pa.int8())
    numbers, words = pa.array([1, None, 3, 4], pa.int64()), pa.array(["one", None, "three"])
    offsets = pa.array([0, 0, 1, 1, 2, 2, 3], pa.int32())
    yield "dense union", pa.UnionArray.from_dense(kinds, offsets, [numbers, words], ["number", "word"])
    spread = [pa.array(range(7), pa.int64()), pa.array(_TEXTS)]
    yield "sparse union", pa.UnionArray.from_sparse(kinds, spread, ["number", "word"])


def _encoded() -> Iterator[tuple[str, pa.Array]]:
    indices = [0, 1, None, 2, 1, 0, None]
    for name in _INTEGERS:
        keys = pa.array(indices, getattr(pa, name)())
        yield f"dictionary[{name}]", pa.DictionaryArray.from_arrays(keys, pa.array(["EMEA", "APAC", "Amerika 🦀"]))
    keys = pa.array(indices, pa.int16())
    yield "ordered dictionary", pa.DictionaryArray.from_arrays(keys, pa.array([1.5, 2.5, 3.5]), ordered=True)
    yield "dictionary with a null", pa.DictionaryArray.from_arrays(keys, pa.array(["a", None, "b"]))
    yield "dictionary of structs", pa.DictionaryArray.from_arrays(keys, pa.array([{"x": 1}, {"x": None}, None]))
    inner = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0], pa.int8()), pa.array(["low", "high"]))
    yield "list of dictionaries", pa.ListArray.from_arrays(pa.array([0, 2, 2, 3, 3, 4, 4, 4], pa.int32()), inner)
    named = pa.array(["a", None, "a", "b", None, "b", "a"]).dictionary_encode()
    yield "struct with a dictionary", pa.StructArray.from_arrays([named, pa.array(range(7))], ["name", "n"])
    runs = pa.array([2, 3, 7], pa.int32())
    yield "run-end encoded", pa.RunEndEncodedArray.from_arrays(runs, pa.array(["long", None, "runs"]))


def _tagged() -> Iterator[tuple[str, pa.Array]]:
    uuids = pa.array([bytes([n]) * 16 if n % 3 else None for n in range(7)], pa.binary(16))
    yield "uuid", pa.ExtensionArray.from_storage(pa.uuid(), uuids)
    documents = pa.array(['{"a":1}', None, "[]", "1", "null", None, '"x"'])
    yield "json", pa.ExtensionArray.from_storage(pa.json_(), documents)
