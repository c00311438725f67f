"""A host in a container of its own: it waits for servers, says what is in its way, and shows whether it is well."""

import os
import signal
import subprocess
from pathlib import Path

from harness.server import PACKAGE, PATIENCE, PYTHON, Server


def _command(part: str, socket: Path) -> list[str]:
    return [PYTHON, "-I", str(PACKAGE), part, "--socket", str(socket)]


def _live(socket: Path) -> tuple[int, str]:
    asked = _run("live", socket)
    return asked.returncode, asked.stderr


def _run(part: str, socket: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | variables
    return subprocess.run(
        _command(part, socket), capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
    )


def test_a_host_says_what_is_in_its_way_and_waits(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    socket = folder / "server.sock"
    host = subprocess.Popen(_command("host", socket), stderr=subprocess.PIPE, text=True)
    try:
        assert host.stderr is not None
        line = host.stderr.readline()
        assert line.startswith(f"flexconnect host: no server on {socket}: the folder {folder} is not there: mount")
        assert _live(socket) == (0, ""), "who waits is well"
        folder.mkdir()
        assert "No such file" in host.stderr.readline()
        with Server(folder, once=False) as server:
            server.meet_host()
            assert "a server is there" in host.stderr.readline()
            assert _live(socket) == (0, "")
        assert "its workers are gone" in host.stderr.readline()
        host.send_signal(signal.SIGTERM)
        assert host.wait(PATIENCE) == 0
        assert _live(socket)[0] == 1
    finally:
        host.kill()
        host.wait()


def test_a_host_that_is_refused_says_why_and_lives(tmp_path: Path) -> None:
    with Server(tmp_path, once=False) as server:
        host = subprocess.Popen(_command("host", server.path), stderr=subprocess.PIPE, text=True)
        server.process = host
        server.meet_host()
        assert host.stderr is not None
        assert "a server is there" in host.stderr.readline()
        server.host.send("refused", message="the server has one already")
        assert host.stderr.readline() == "flexconnect host: the server wants no host: the server has one already\n"
        server.meet_host()
        server.start_worker()


def test_modules_that_are_not_well_fail_the_probe(tmp_path: Path) -> None:
    with Server(tmp_path, once=False) as server:
        server.start_host()
        server.host.send("health", ailing=["sales.database"])
        server.ready("plain")
        assert _live(server.path) == (1, "not well by their own account: sales.database\n")
        server.host.send("health", ailing=[])
        server.ready("plain")
        assert _live(server.path) == (0, "")


def test_a_host_that_does_not_move_fails_the_probe(tmp_path: Path) -> None:
    socket = tmp_path / "server.sock"
    variables = {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(_command("host", socket), env=os.environ | variables, stderr=subprocess.PIPE) as host:
        assert host.stderr is not None
        host.stderr.readline()
        assert _run("live", socket, **variables).returncode == 0
        host.kill()
    (sign,) = tmp_path.glob("flexconnect-host-*.live")
    os.utime(sign, (1, 1))
    asked = _run("live", socket, **variables)
    assert asked.returncode == 1
    assert asked.stderr.startswith("the host has not moved for ")


def test_a_path_that_no_socket_can_have_ends_the_host() -> None:
    ended = _run("host", Path("/", "x" * 120))
    assert ended.returncode == 1
    assert ended.stderr.startswith("the path of a socket has 107 bytes at most, and this one has 121: /x")


def test_modules_of_a_volume_go_before_those_of_the_image(tmp_path: Path) -> None:
    for place in ("volume", "image"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "shipped.py").write_text(
            "import os, pyarrow, gooddata_flexconnect\n"
            "class Shipped(gooddata_flexconnect.FlexConnectFunction):\n"
            f"    Name = '{place}'\n"
            "    Schema = pyarrow.schema([])\n"
            "    def call(self, parameters, columns, headers):\n"
            "        raise NotImplementedError\n"
        )
        (folder / f"only_{place}.py").write_text("")
    with Server(tmp_path, once=False) as server:
        server.start_host("--path", str(tmp_path / "volume"), PYTHONPATH=str(tmp_path / "image"))
        loaded = server.start_worker().load("shipped", "only_volume", "only_image")
        assert loaded.op == "loaded", loaded
        assert b'"volume"' in loaded.body
        assert b'"image"' not in loaded.body
