"""Functions that harm the process they run in."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction


def _fork_and_return() -> None:
    if os.fork():
        os.wait()


def _fork_and_write() -> None:
    child = os.fork()
    if not child:
        print("from a child")
        os._exit(0)
    os.waitpid(child, 0)


def _leave_program() -> None:
    child = subprocess.Popen(["sleep", "1000"])  # noqa: S607
    print(f"left {child.pid}")


def _leave_orphan() -> None:
    # The shell ends at once, in a session of its own; what it started is nobody's child then.
    subprocess.run(["sh", "-c", "sleep 1000 & echo orphan $!"], check=True, start_new_session=True)  # noqa: S607


HARM: dict[str, Callable[[], Any]] = {
    "exit code": lambda: os._exit(7),
    "segfault": lambda: ctypes.string_at(0),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "interrupt": lambda: os.kill(os.getpid(), signal.SIGINT),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "close all": lambda: os.closerange(3, 256),
    "endless thread": lambda: threading.Thread(target=threading.Event().wait).start(),
    "fork and return": _fork_and_return,
    "fork and write": _fork_and_write,
    "leave program": _leave_program,
    "leave orphan": _leave_orphan,
    "at exit": lambda: atexit.register(lambda: print("at exit", file=sys.stdout)),
    "hang at exit": lambda: atexit.register(threading.Event().wait),
    "fail at exit": lambda: atexit.register(lambda: 1 / 0),
}


class Harm(FlexConnectFunction):
    """Does harm as asked, and waits if it lives on."""

    Name = "Harm"
    Schema = pa.schema([("x", pa.int64())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """One row."""
        HARM[parameters["how"]]()
        if "gate" in parameters:
            Path(parameters["gate"]).read_text()
        return pa.table({"x": [1]})
