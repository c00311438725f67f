"""What reaches a function: parameters, columns, headers, configuration, the execution context."""

import pytest
from harness.answers import bad_argument
from harness.caller import POLLABLE, Caller, command
from harness.pair import Pair
from harness.server import Server

_CONTEXT = {
    "executionType": "REPORT",
    "organizationId": "org",
    "workspaceId": "ws",
    "userId": "me",
    "timestamp": "2025-01-31T08:00:00+00:00",
    "timezone": "Etc/UTC",
    "weekStart": "monday",
    "somethingNew": {"is": "ignored"},
    "attributes": [
        {
            "attributeIdentifier": "region",
            "attributeTitle": "Region",
            "labelIdentifier": "region.name",
            "labelTitle": "Region name",
            "dateGranularity": None,
            "sorting": {"sortColumn": "region.name", "sortDirection": "ASC"},
        },
        {
            "attributeIdentifier": "date.day",
            "attributeTitle": "Day",
            "labelIdentifier": "date.day",
            "labelTitle": "Day",
            "dateGranularity": "DAY",
        },
    ],
    "filters": [
        {"filterType": "positiveAttributeFilter", "labelIdentifier": "l", "values": ["a", None]},
        {"filterType": "negativeAttributeFilter", "labelIdentifier": "l", "values": []},
        {"filterType": "matchAttributeFilter", "labelIdentifier": "l", "matchType": "CONTAINS", "literal": "x"},
        {
            "filterType": "relativeDateFilter",
            "datasetIdentifier": "date",
            "granularity": "DAY",
            "from": -6,
            "to": 0,
        },
        {
            "filterType": "absoluteDateFilter",
            "datasetIdentifier": "date",
            "from": "2025-01-01",
            "to": "2025-01-31 23:59",
        },
    ],
    "reportExecutionRequest": {"attributes": [], "measures": [], "filters": [], "auxMeasures": []},
    "labelElementsExecutionRequest": None,
    "executionInitiator": {"type": "display", "dashboardId": "d1"},
}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"text": "ünïcode \u0000 \U0001f600", "list": [1, None, True, {}], "object": {"a": {"b": []}}},
        {"big": 2**63, "bigger": 2**64 - 1, "small": -(2**63), "float": 0.1, "exponent": 1e300, "zero": -0.0},
        {"columns": ["a", "b"], "executionContext": {"unknown": 1}},
        {"": "empty key", "a.b": 1},
    ],
)
def test_parameters_arrive_as_they_were_sent(plain: Pair, parameters: dict) -> None:
    echo = plain.agree(lambda server: _without_headers(Caller(server).pairs("Echo", **parameters)))
    assert echo["parameters"] == parameters


def test_integers_beyond_64_bits_become_floats(plain: Pair) -> None:
    echo = plain.agree(lambda server: _without_headers(Caller(server).pairs("Echo", huge=10**30, low=-(10**30))))
    assert echo["parameters"] == {"huge": 1e30, "low": -1e30}
    assert all(isinstance(value, float) for value in echo["parameters"].values())


@pytest.mark.parametrize("columns", [["a", "b"], [], "a", {"a": 1}, 5, None])
def test_columns_come_from_the_parameters_unchecked(plain: Pair, columns: object) -> None:
    echo = plain.agree(lambda server: _without_headers(Caller(server).pairs("Echo", columns=columns)))
    assert echo == {"parameters": {"columns": columns}, "columns": columns}


def test_columns_beside_the_parameters_are_ignored(plain: Pair) -> None:
    text = b'{"functionName":"Echo","columns":["top"],"parameters":{"x":1}}'

    def ask(server: Server) -> object:
        caller = Caller(server)
        return [row for row in caller.read(caller.submit(text)).rows if row[0] == "columns"]

    assert plain.agree(ask) == [("columns", "null")]


def test_functions_see_the_headers_of_their_call(plain: Pair) -> None:
    def ask(server: Server) -> object:
        caller = Caller(server, ("x-one", "1"), ("x-many", "first"), ("x-many", "second"))
        return caller.pairs("Echo")["headers"]

    headers = plain.agree(ask)
    assert headers["x-one"] == ["1"]
    assert headers["x-many"] == ["first", "second"]
    assert headers["user-agent"][0].startswith("grpc-c++/")
    assert not [name for name in headers if name.startswith((":", "grpc-")) or name in ("content-type", "te", "host")]


def test_binary_headers_arrive_as_bytes(plain: Pair) -> None:
    def ask(server: Server) -> object:
        caller = Caller(server, ("x-raw-bin", "\x00~"))
        return caller.pairs("Echo")["headers"]["x-raw-bin"]

    assert plain.agree(ask) == [{"base64": "AH4="}]


def test_the_polling_header_is_a_header_like_any_other(plain: Pair) -> None:
    def ask(server: Server) -> object:
        caller = Caller(server, POLLABLE)
        return caller.pairs("Echo")["headers"][POLLABLE[0]]

    assert plain.agree(ask) == [POLLABLE[1]]


def test_functions_read_their_own_settings(plain: Pair) -> None:
    keys = ["flexconnect.polling_interval_ms", "no.such_setting", "server.task_threads"]
    values = plain.agree(lambda server: Caller(server).pairs("Settings", keys=keys))
    assert values == {keys[0]: 300, keys[1]: None, keys[2]: 16}


def test_the_execution_context_is_read_alike(plain: Pair) -> None:
    context = plain.agree(lambda server: Caller(server).pairs("Context", executionContext=_CONTEXT))
    assert context["type"] == "REPORT"
    assert context["timestamp"] == _CONTEXT["timestamp"]
    assert [each["granularity"] for each in context["attributes"]] == [None, "DAY"]
    assert context["attributes"][0]["sorting"] == {"sortColumn": "region.name", "sortDirection": "ASC"}
    assert context["filters"] == [
        {"kind": "PositiveAttributeFilter", "label_identifier": "l", "values": ["a", None]},
        {"kind": "NegativeAttributeFilter", "label_identifier": "l", "values": []},
        {
            "kind": "MatchAttributeFilter",
            "label_identifier": "l",
            "literal": "x",
            "match_type": "CONTAINS",
            "negate": False,
            "case_sensitive": False,
        },
        {
            "kind": "RelativeDateFilter",
            "dataset_identifier": "date",
            "granularity": "DAY",
            "from_shift": -6,
            "to_shift": 0,
        },
        {
            "kind": "AbsoluteDateFilter",
            "dataset_identifier": "date",
            "from_date": "2025-01-01",
            "to_date": "2025-01-31 23:59",
        },
    ]


def test_a_sparse_context_is_enough(plain: Pair) -> None:
    sparse = {"executionType": "LABEL_ELEMENTS", "organizationId": "o", "workspaceId": "w", "userId": "u"}
    context = plain.agree(lambda server: Caller(server).pairs("Context", executionContext=sparse))
    assert (context["type"], context["attributes"], context["filters"]) == ("LABEL_ELEMENTS", [], [])
    assert (context["timestamp"], context["timezone"], context["week start"]) == (None, None, None)


@pytest.mark.parametrize("parameters", [{}, {"executionContext": None}])
def test_a_call_may_have_no_context(plain: Pair, parameters: dict) -> None:
    assert plain.agree(lambda server: Caller(server).pairs("Context", **parameters)) == {"context": None}


def test_new_words_in_a_filter_do_not_hide_the_rest(plain: Pair) -> None:
    relative = {
        "filterType": "relativeDateFilter",
        "datasetIdentifier": "d",
        "granularity": "CENTURY",
        "from": 0,
        "to": 0,
    }
    match = {"filterType": "matchAttributeFilter", "labelIdentifier": "l", "matchType": "SOUNDS_LIKE", "literal": "x"}
    context = {**_CONTEXT, "filters": [relative, match]}

    def ask(server: Server) -> object:
        read = Caller(server).pairs("Context", executionContext=context)
        return read["user"], [each["kind"] for each in read["filters"]]

    assert plain.agree(ask) == ("me", ["RelativeDateFilter", "MatchAttributeFilter"])


def test_an_unknown_filter_is_a_bad_argument(plain: Pair) -> None:
    context = {**_CONTEXT, "filters": [{"filterType": "regexFilter"}]}
    for failure in plain.ask(lambda s: Caller(s).info(command("Context", executionContext=context))).values():
        assert failure == bad_argument(failure.info.msg)
        assert "regexFilter" in failure.text


def _without_headers(echo: dict) -> dict:
    return {key: value for key, value in echo.items() if key != "headers"}
