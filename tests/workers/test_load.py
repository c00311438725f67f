"""Loading: what a worker tells of its functions, or why it has none."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from harness.events import event
from harness.server import FUNCTIONS, Server, Worker


def _asked(worker: Worker, question: str) -> str:
    answer = worker.slots[0].call("Context", json.dumps({"question": question}).encode())
    return answer.table().column("answer")[0].as_py()


def test_functions_are_listed(server: Server) -> None:
    worker = server.start_worker()
    loaded = worker.load("plain", "strange_metadata")
    assert loaded.op == "unloadable"
    assert worker.exited()["code"] == 0
    loaded = server.start_worker().load("plain")
    body = json.loads(loaded.body)
    assert [function["name"] for function in body["functions"]] == ["Tiny", "Wide", "Given", "Odd"]
    assert body["functions"][0]["metadata"] == {"any": ["json", 1]}
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(body["functions"][0]["schema"])))
    assert schema.names == ["id", "name", "value"]
    assert set(body["versions"]) == {"python", "pyarrow", "gooddata-flexconnect"}
    assert body["memory"] > 10_000_000


def test_metadata_that_json_cannot_tell_becomes_text(server: Server) -> None:
    body = json.loads(server.start_worker().load("strange_metadata").body)
    assert body["functions"][1]["metadata"] == {"when": "<class 'object'>", "1": "one"}


def test_no_modules_are_no_functions(server: Server) -> None:
    assert json.loads(server.start_worker().load().body)["functions"] == []


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            "no_name",
            "FlexConnect function implemented in class Nameless does not specify name or specifies an empty name.",
        ),
        ("no_schema", "FlexConnect function 'Shapeless' implemented in class Shapeless does not specify schema."),
        (
            "twice",
            (
                "FlexConnect function implemented in class Again specifies same name as already registered fun from "
                "class Tiny."
            ),
        ),
        ("failing_load", "KeyError: 'api_key'"),
        ("exiting", "SystemExit: no licence"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_the_vendors_words(server: Server, module: str, message: str) -> None:
    worker = server.start_worker()
    told = worker.load(module)
    assert told.op == "unloadable"
    assert told.head["message"] == message
    assert told.head["advice"] is None
    assert told.head["traceback"].startswith("Traceback (most recent call last):\n")
    assert "flexconnect_worker" not in told.head["traceback"]
    assert worker.exited()["code"] == 0


@pytest.mark.parametrize(
    ("module", "missing", "advice"),
    [
        ("nowhere.to_be_found", "nowhere", "set PYTHONPATH, or python.path"),
        ("plain.inner", "plain.inner", "set PYTHONPATH, or python.path"),
        ("json.inner", "json.inner", "correct its name: the package json is in /"),
        ("functions/plain.py", "functions/plain", "name modules as in an import"),
        ("plain.py", "plain.py", "name modules as in an import"),
        ("needs_more", "nowhere_to_be_found", "install the package that has it, with "),
    ],
)
def test_a_module_that_is_not_found_can_be(server: Server, module: str, missing: str, advice: str) -> None:
    told = server.start_worker().load(module)
    assert told.op == "unloadable"
    assert told.head["message"].startswith(f"No module named '{missing}'")
    assert told.head["advice"].startswith(advice)


def test_an_interpreter_without_packages_gets_the_command_that_mends_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = str(tmp_path / "bare/bin/python")
    with Server(tmp_path, python) as server:
        server.start_host()
        told = server.start_worker().load("plain")
    assert told.op == "unloadable"
    assert told.head["message"].startswith("pyarrow is not installed and gooddata-flexconnect is not installed in ")
    assert told.head["advice"].startswith(f"{python} -m pip install --upgrade 'pyarrow>=")


def test_packages_that_are_too_old_are_named(tmp_path: Path) -> None:
    old = tmp_path / "pyarrow-1.2.3.dist-info"
    old.mkdir()
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: pyarrow\nVersion: 1.2.3\n")
    with Server(tmp_path) as server:
        server.start_host(PYTHONPATH=f"{tmp_path}:{FUNCTIONS}")
        told = server.start_worker().load("plain")
    assert told.head["message"].startswith("pyarrow 1.2.3 is older than ")


def test_on_load_gets_the_settings_and_the_configuration(tmp_path: Path, server: Server) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[sales]\nurl = "from the file"\nTOKEN = "kept"\n[sales.deep]\na = 1\n[server]\nlisten_port = 9\n')
    filler = {"text": "x" * 100_000}
    worker = server.ready(
        "contextual",
        files=[str(file)],
        settings={"sales": {"url": "sent", "deep": {"b": 2}}, "filler": filler},
        server={"task_threads": 7, "otel_config": None, "field_of_the_future": 1, "authentication_method": "token"},
        location="grpc+tls://example.com:17001",
    )
    assert worker.inbox.next("health").head == {"op": "health", "module": "contextual", "status": "ok"}
    assert _asked(worker, "ctx.settings.get('sales.url'), ctx.settings['sales'].token") == "('sent', 'kept')"
    assert _asked(worker, "dict(ctx.settings.sales.deep)") == "{'a': 1, 'b': 2}"
    assert _asked(worker, "len(ctx.settings.get('filler.text'))") == "100000"
    assert _asked(worker, "ctx.settings.get('server')") == "None"
    assert _asked(worker, "ctx.config.task_threads, ctx.config.authentication_method.value") == "(7, 'token')"
    assert _asked(worker, "ctx.location.uri") == "b'grpc+tls://example.com:17001'"
    assert _asked(worker, "ctx.task_executor.get_task_submitted_timestamp('unknown')") == "None"


def test_an_image_names_its_modules_and_what_is_the_servers_business_is_told(tmp_path: Path, server: Server) -> None:
    file = tmp_path / "flexconnect.config.toml"
    file.write_text('[flexconnect]\nfunctions = ["plain"]\ncall_deadline_ms = 5\n[server]\nlisten_port = 9\n')
    loaded = server.start_worker().load(files=[str(file)])
    assert loaded.op == "loaded", loaded
    assert json.loads(loaded.body)["ignored"] == ["flexconnect.call_deadline_ms", "server"]
    other = server.start_worker().load("raising", files=[str(file)])
    names = {function["name"] for function in json.loads(other.body)["functions"]}
    assert "Tiny" not in names, "what the server names goes before"


def test_files_that_an_image_does_not_have_are_named_unless_they_are_the_usual_ones(server: Server) -> None:
    about = {"files": ["/nowhere/flexconnect.config.toml"]}
    told = server.start_worker().load("plain", **about)
    assert told.head["message"].startswith("the configuration file /nowhere/flexconnect.config.toml is not there")
    assert server.start_worker().load("plain", **about, optional=True).op == "loaded"
    told = server.start_worker().load(**about, optional=True)
    assert told.head["message"].startswith("no functions are configured, neither for the server nor in this image")


def test_a_large_load_comes_as_a_body(server: Server) -> None:
    worker = server.start_worker()
    fields = {"modules": ["plain"], "settings": {"a": {"b": "x" * 200_000}}, "server": {}}
    worker.inbox.send("load", json.dumps(fields).encode())
    assert worker.inbox.next("loaded", "unloadable").op == "loaded"


def test_environment_variables_are_settings_beside_files_and_else_what_is_sent_is_all(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[sales]\nlimit = 1\nregion = 'East'\n")
    asked = "ctx.settings.get('sales.limit'), ctx.settings.get('sales.region')"
    with Server(tmp_path) as server:
        server.start_host(GOODDATA_FLIGHT_SALES__LIMIT="@int 5")
        assert _asked(server.ready("contextual", files=[str(file)]), asked) == "(5, 'East')"
        assert _asked(server.ready("contextual", settings={"sales": {"region": "West"}}), asked) == "(None, 'West')"


def test_levels_come_from_the_logging_file(tmp_path: Path, server: Server) -> None:
    ini = tmp_path / "logging.ini"
    ini.write_text(
        "[loggers]\nkeys=root,talking\n[handlers]\nkeys=console,file\n[formatters]\nkeys=plain\n"
        "[logger_root]\nlevel=ERROR\nhandlers=console,file\n[logger_talking]\nlevel=DEBUG\nhandlers=\n"
        "qualname=talking\n[handler_console]\nclass=StreamHandler\nargs=(sys.stderr,)\n"
        f"[handler_file]\nclass=FileHandler\nargs=({str(tmp_path / 'out.log')!r},)\nformatter=plain\n"
        "[formatter_plain]\nformat=%(name)s %(message)s\n"
    )
    worker = server.ready("talking", logging={"level": "info", "ini": str(ini)})
    worker.slots[0].call("Talk", b'{"what": "structured"}')
    worker.slots[0].call("Talk", b'{"what": "debug"}')
    detail = event(worker, "")
    assert (detail["event"], detail["level"], detail["logger"]) == ("a detail", "debug", "talking")
    assert (tmp_path / "out.log").read_text() == "talking a detail\n"


def test_a_logging_file_that_is_not_there_is_named(server: Server) -> None:
    told = server.start_worker().load("plain", logging={"level": "info", "ini": "/nowhere/logging.ini"})
    assert told.head["message"].startswith("the logging configuration /nowhere/logging.ini cannot be used")
