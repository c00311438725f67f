"""A function that does what functions must not, as its parameter asks."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction

_N = pa.schema([("n", pa.int64())])


class _Unprintable(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no words")


def _rows() -> pa.Table:
    return pa.table({"n": [1]}, schema=_N)


def _raise(error: BaseException) -> None:
    raise error


def _differing_batches() -> pa.RecordBatchReader:
    other = pa.record_batch({"m": ["text"]})
    first = pa.record_batch([pa.array([1])], schema=_N)
    return pa.RecordBatchReader.from_batches(_N, iter([first, other]))


def _flood(descriptor: int) -> None:
    block = b"x" * 65_535 + b"\n"
    for _ in range(16_384):
        os.write(descriptor, block)


def _fork() -> None:
    if os.fork():
        os.wait()


_HARM: dict[str, Callable[[], Any]] = {
    "another type": lambda: 42,
    "nothing": lambda: None,
    "differing batches": _differing_batches,
    "unprintable": lambda: _raise(_Unprintable()),
    "long text": lambda: _raise(ValueError("y" * 100_000_000)),
    "sys.exit": lambda: sys.exit(3),
    "interrupted": lambda: _raise(KeyboardInterrupt()),
    "os._exit": lambda: os._exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "group": lambda: os.killpg(0, signal.SIGKILL),
    "stopped": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "hang": lambda: threading.Event().wait(),
    "closed": lambda: os.closerange(3, 4_096),
    "fork": _fork,
    "flood": lambda: _flood(2),
    "thread": lambda: threading.Thread(target=threading.Event().wait).start(),
    "handler": lambda: signal.setitimer(signal.ITIMER_REAL, 0.01) and time.sleep(1),
}


class Harm(FlexConnectFunction):
    """Does harm; one row if it lives on."""

    Name = "Harm"
    Schema = _N

    def call(self, parameters: dict, columns: Any, headers: dict) -> Any:
        """What `how` names."""
        how = parameters.get("how")
        made = _HARM[how]() if how else _rows()
        return made if how in ("another type", "nothing", "differing batches") else _rows()

    def cancel(self) -> bool:
        """Never comes back."""
        threading.Event().wait()
        return True
