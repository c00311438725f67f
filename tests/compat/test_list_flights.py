"""ListFlights: what the server offers, and how it describes it."""

import json

from harness.answers import Schema
from harness.caller import Caller
from harness.pair import Pair

# In the order in which both sides register them.
FUNCTIONS = [
    *("Table", "EmptyTable", "Chunks", "EmptyChunks", "Sliced", "Large"),
    *("Dictionary", "ChangingDictionary", "Messages", "OtherSchema", "Nested"),
    *("Stream", "DictionaryStream", "FailingStream"),
    *("Fail", "Panic", "Exit"),
    *("Sleeper", "Stubborn", "LateLoader"),
    *("Echo", "Settings", "Context"),
    "Stored",
]


def test_every_function_is_listed_in_order_of_registration(plain: Pair) -> None:
    flights = plain.agree(lambda server: Caller(server).flights())
    assert [json.loads(info.descriptor[1])["functionName"] for info in flights] == FUNCTIONS


def test_a_listed_function_has_neither_endpoints_nor_totals(plain: Pair) -> None:
    for info in plain.agree(lambda server: Caller(server).flights()):
        assert info.descriptor[0] == "CMD"
        assert (info.endpoints, info.totals, info.ordered, info.app_metadata) == ((), (-1, -1), False, b"")


def test_the_descriptor_carries_metadata_or_an_explicit_null(plain: Pair) -> None:
    commands = [info.descriptor[1] for info in plain.agree(lambda server: Caller(server).flights())]
    assert commands[0].decode() == (
        '{"functionName":"Table","metadata":{"description":"three rows","tags":["a",1,null],"nested":{"ünïcode":true}}}'
    )
    assert commands[1] == b'{"functionName":"EmptyTable","metadata":null}'


def test_the_schema_is_the_declared_one(plain: Pair) -> None:
    by_name = dict(zip(FUNCTIONS, plain.agree(lambda server: Caller(server).flights()), strict=True))
    columns = by_name["Table"].schema.columns
    assert [(column.name, column.type, column.nullable) for column in columns] == [
        ("id", "int64", False),
        ("name", "string", True),
        ("ratio", "double", True),
    ]
    assert [column.name for column in by_name["OtherSchema"].schema.columns] == ["id"]
    assert by_name["Messages"].schema.metadata == frozenset()
    assert isinstance(by_name["Nested"].schema, Schema)
