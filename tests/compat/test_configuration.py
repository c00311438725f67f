"""Configuration: files, environment, how values are read, and mistakes that stop the start."""

import json

import pytest
from harness.caller import Caller
from harness.config import Config, to_toml
from harness.farm import Farm
from harness.pair import Pair

# What an environment variable holds, and what a function reads from the setting.
_VALUES = [
    *[("true", True), ("True", True), ("false", False), ("False", False)],
    *[("TRUE", "TRUE"), ("yes", "yes"), ("off", "off")],
    *[
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1_000", 1000),
        ("0x1f", 31),
        ("0b11", 3),
        ("0o7", 7),
        (" 7 ", 7),
        ("01", "01"),
    ],
    *[("1.0", 1.0), ("1e3", 1000.0), ("1.", "1.")],
    *[("'1'", "1"), ('"1"', "1"), ('"a\\tb"', "a\tb"), ("'''x'''", "x")],
    *[("[1,2]", [1, 2]), ("['a','b']", ["a", "b"]), ('["a", ]', ["a"]), ("[a,b]", "[a,b]"), ("a, b", "a, b")],
    *[("{a=1}", {"a": 1}), ('{"a"=1}', {"a": 1}), ('{"a": 1}', '{"a": 1}')],
    *[("null", "null"), ("none", "none"), ("None", "None"), ("", "")],
    *[("@int 5", 5), ("@float 1.5", 1.5), ("@str 5", "5"), ("@bool yes", True), ("@bool no", False)],
    *[('@json {"a": [1, null]}', {"a": [1, None]}), ("@none", None), ("@format {this.compat.word}", "spoken")],
    *[("@/a/path", "@/a/path"), ("@unknown x", "@unknown x"), (" @int 5", " @int 5"), ("plain text", "plain text")],
]
_PREFIX = "GOODDATA_FLIGHT_"
_TOKEN = {"authentication_method": "token"}
# Configurations that no server starts with, and what the message names.
_MISTAKES = {
    "port zero": (Config(server={"listen_port": 0}), "listen_port"),
    "empty host": (Config(server={"listen_host": ""}), "listen_host"),
    "no threads": (Config(env={f"{_PREFIX}SERVER__TASK_THREADS": "0"}), "task_threads"),
    "no time to live": (Config(server={"task_result_ttl_sec": 0}), "task_result_ttl_sec"),
    "unknown authentication": (Config(server={"authentication_method": "Token"}), "authentication_method"),
    "no deadline": (Config(flexconnect={"call_deadline_ms": 0}), "call_deadline_ms"),
    "negative interval": (Config(flexconnect={"polling_interval_ms": -5}), "polling_interval_ms"),
    "no certificate": (Config(server={"use_tls": True}), "tls_certificate"),
    "no certificate file": (
        Config(server={"use_tls": True, "tls_certificate": "@/no/such.pem", "tls_private_key": "@/no/such.pem"}),
        "/no/such.pem",
    ),
    "no certificate in the text": (
        Config(server={"use_tls": True, "tls_certificate": "hello", "tls_private_key": "hello"}),
        "server",
    ),
    "no tokens": (Config(server=_TOKEN), "tokens"),
    "an empty list of tokens": (Config(server=_TOKEN, sections={"enumerated_tokens": {"tokens": []}}), "tokens"),
    "a cast that fails": (Config(env={f"{_PREFIX}SERVER__TASK_THREADS": "@int many"}), "many"),
}


@pytest.fixture(scope="module")
def configured(farm: Farm) -> Pair:
    """One server that reads everything this module asks about."""
    files = {
        "second.yaml": "yaml_section:\n  text: from yaml\n  list: [1, 2]\nboth:\n  first: overridden\n",
        "third.json": json.dumps({"json_section": {"nested": {"deep": [True, None]}}}),
        "second.local.yaml": "beside:\n  text: found beside second.yaml\n",
        "merging.toml": "[merged]\ndynaconf_merge = true\nadded = 2\nlist = [3]\n",
        "fourth.toml": "dotted.inner.key = 2\n" + to_toml({"Mixed_Case": {"Some_Key": 1}}),
    }
    env = {f"{_PREFIX}VALUES__V{n}": text for n, (text, _) in enumerate(_VALUES)}
    env |= {
        f"{_PREFIX}SERVER__TASK_THREADS": "3",
        f"{_PREFIX}BOTH__FIRST": "from the environment",
        f"{_PREFIX}A__B__C": "deep",
        f"{_PREFIX}FLEXCONNECT__POLLING_INTERVAL_MS": "@int 250",
        "gooddata_flight_SERVER__TASK_THREADS": "4",
        f"{_PREFIX}SERVER_TASK_THREADS": "5",
        f"{_PREFIX}SERVER___TASK_THREADS": "6",
    }
    sections = {
        "both": {"first": "from a file", "second": "from a file"},
        "merged": {"kept": 1, "list": [1, 2]},
        "compat": {"word": "spoken"},
    }
    return farm.start("configured", Config(server={"task_threads": 2}, sections=sections, env=env, files=files))


def _read(pair: Pair, *keys: str) -> dict:
    return pair.agree(lambda server: Caller(server).pairs("Settings", keys=list(keys)))


@pytest.mark.parametrize("number", range(len(_VALUES)), ids=[text or "empty" for text, _ in _VALUES])
def test_a_value_from_the_environment_is_read_like_toml(configured: Pair, number: int) -> None:
    value = _read(configured, f"values.v{number}")[f"values.v{number}"]
    assert value == _VALUES[number][1]
    assert type(value) is type(_VALUES[number][1])


def test_the_environment_wins_key_by_key(configured: Pair) -> None:
    values = _read(configured, "server.task_threads", "both.first", "flexconnect.polling_interval_ms")
    assert list(values.values()) == [3, "from the environment", 250]


def test_deeper_levels_are_more_underscores(configured: Pair) -> None:
    assert _read(configured, "a.b.c") == {"a.b.c": "deep"}


def test_files_come_in_three_formats(configured: Pair) -> None:
    values = _read(configured, "yaml_section.text", "yaml_section.list", "json_section.nested", "dotted.inner.key")
    assert list(values.values()) == ["from yaml", [1, 2], {"deep": [True, None]}, 2]


def test_a_local_file_is_read_beside_its_own(configured: Pair) -> None:
    assert _read(configured, "beside.text") == {"beside.text": "found beside second.yaml"}


def test_a_section_merges_where_it_says_so(configured: Pair) -> None:
    values = _read(configured, "merged.kept", "merged.added", "merged.list")
    assert list(values.values()) == [1, 2, [1, 2, 3]]


def test_names_are_found_in_any_case(configured: Pair) -> None:
    assert list(_read(configured, "mixed_case.some_key").values()) == [1]


@pytest.fixture(scope="module")
def refused(farm: Farm) -> dict[str, Pair]:
    """All servers that must not start, started at once."""
    return {name: farm.launch(f"refused {name}", config) for name, (config, _) in _MISTAKES.items()}


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_mistake_stops_the_start_and_is_named(farm: Farm, refused: dict[str, Pair], mistake: str) -> None:
    for kind, end in farm.await_end(refused[mistake]).items():
        assert end.code == 1, (kind, end.output)
        assert _MISTAKES[mistake][1] in end.output.lower(), (kind, end.output)


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--config", "/no/such.toml"]])
def test_arguments_that_cannot_be_followed(farm: Farm, arguments: list[str]) -> None:
    expected = 2 if arguments == ["--no-such-flag"] else 1
    for kind, end in farm.run_command(arguments).items():
        assert end.code == expected, (kind, end.output)


def test_help_is_no_failure(farm: Farm) -> None:
    for end in farm.run_command(["--help"]).values():
        assert end.code == 0
        assert "--config" in end.output


def test_a_port_in_use_stops_the_start(farm: Farm, plain: Pair) -> None:
    taken = plain.servers[0].port
    for kind, end in farm.run("taken", Config(server={"listen_port": taken})).items():
        assert end.code == 1, (kind, end.output)
