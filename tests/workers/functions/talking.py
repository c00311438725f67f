"""Functions that write and log in all the ways there are."""

import asyncio
import contextvars
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog
from gooddata_flexconnect import FlexConnectFunction
from opentelemetry import trace
from prometheus_client import Counter

CALLS = Counter("talking_calls", "Calls of Talk.")
_LOG = logging.getLogger("talking")
_STRUCTURED = structlog.get_logger("structured")


def _thread(target: Callable[[], None], *, copy: bool) -> None:
    run = contextvars.copy_context().run
    thread = threading.Thread(target=run, args=(target,)) if copy else threading.Thread(target=target)
    thread.start()
    thread.join()


async def _tasks() -> None:
    async def say(what: str) -> None:
        await asyncio.sleep(0)
        print(what)

    await asyncio.gather(say("first"), say("second"))


def _exception() -> None:
    try:
        {}["lost"]
    except KeyError:
        _LOG.exception("it failed")


def _structured() -> None:
    with structlog.contextvars.bound_contextvars(customer="c"):
        _STRUCTURED.warning("structured %s", "event", rows=3, tags={"b", "a"}, raw=b"text")


def _span() -> None:
    with trace.get_tracer("talking").start_as_current_span("inner"):
        print("in a span")


def _flood() -> None:
    line = "x" * 999 + "\n"
    for _ in range(20_000):
        sys.stderr.write(line)


def _past_python() -> None:
    os.write(1, b"past python\n")
    os.write(2, b"an error past python\xff\n")


def _flood_past_python() -> None:
    for _ in range(640):
        os.write(2, b"y" * 99_999 + b"\n")
    os.write(2, b"after the flood\n")


def _many_fields() -> None:
    _LOG.info("big", extra={f"f{number}": "z" * 7_000 for number in range(60)})


SAYINGS: dict[str, Callable[[], Any]] = {
    "print": lambda: print("to stdout"),
    "stderr": lambda: print("to stderr", file=sys.stderr),
    "unfinished": lambda: print("no end of line", end=""),
    "bytes": lambda: sys.stdout.buffer.write(b"as bytes\n"),
    "long line": lambda: print("x" * 1_000_000),
    "control": lambda: print("\x01" * 8_000),
    "log": lambda: _LOG.info("logged %d", 1, extra={"rows": 3, "object": object()}),
    "debug": lambda: _LOG.debug("a detail"),
    "exception": _exception,
    "structured": _structured,
    "warning": lambda: warnings.warn("be warned", UserWarning, stacklevel=1),
    "copied thread": lambda: _thread(lambda: print("from a copied context"), copy=True),
    "plain thread": lambda: _thread(lambda: print("from nowhere"), copy=False),
    "failing thread": lambda: _thread(lambda: 1 / 0, copy=True),
    "asyncio": lambda: asyncio.run(_tasks()),
    "span": _span,
    "program": lambda: subprocess.run(["echo", "from a program"], check=True),  # noqa: S607
    "program to stdout": lambda: subprocess.run(["echo", "to my stdout"], stdout=sys.stdout, check=True),  # noqa: S607
    "past python": _past_python,
    "flood": _flood,
    "flood past python": _flood_past_python,
    "many fields": _many_fields,
    "count": CALLS.inc,
    "descriptors": lambda: subprocess.run("ls -l /proc/self/fd; echo end of descriptors", shell=True, check=True),  # noqa: S602, S607
    "path": lambda: print(f"path: {sys.path}"),
}


class Talk(FlexConnectFunction):
    """Says what is asked for."""

    Name = "Talk"
    Schema = pa.schema([("x", pa.int64())])

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """One row, after it has spoken."""
        SAYINGS[parameters["what"]]()
        return pa.table({"x": [1]})


class Wait(FlexConnectFunction):
    """Waits at a gate, a pipe with a name that the test opens; tells when it is asked to stop."""

    Name = "Wait"
    Schema = Talk.Schema

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """One row, once the gate is open."""
        self.parameters = parameters
        print("waits")
        Path(parameters["gate"]).read_text()
        if "raises" in parameters:
            raise RuntimeError("the driver was interrupted")
        return pa.table({"x": [1]})

    def cancel(self) -> bool:
        """Says so; may block for ever."""
        print("asked to stop")
        if "blocks" in self.parameters:
            threading.Event().wait()
        return True
