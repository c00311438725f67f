"""How a worker ends: in order, at once, or in a child that user code forked."""

import atexit
import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

_BROKEN = 70
_MORE = 1.0


class Ending:
    """Knows the process that is the worker; a fork of it must neither answer calls nor end its group."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._connections: list[socket.socket] = []
        self._last: Callable[[], None] = lambda: None
        os.register_at_fork(after_in_child=self._forked)

    def own(self, connection: socket.socket) -> socket.socket:
        """Closes a connection in forked children."""
        self._connections.append(connection)
        return connection

    def at_last(self, step: Callable[[], None]) -> None:
        """What is done just before the end in order."""
        self._last = step

    def in_order(self, seconds: float, number: int | None = None) -> NoReturn:
        """Runs what is registered with `atexit`, for so long at most, then ends; by a signal if one was its reason.

        Threads of user code are not waited for, as they may never end. To be called on the main thread.
        """
        hurry = threading.Timer(seconds, self._exit, [0, number])
        hurry.daemon = True
        hurry.start()
        with contextlib.suppress(ValueError, OSError):
            # Code that keeps the interpreter's lock stops the timer above as well.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, seconds + _MORE)
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()  # noqa: SLF001
        self._exit(0, number)

    def at_once(self, message: str = "") -> NoReturn:
        """Ends this process and all that it started in its group: the server is gone or cannot be understood."""
        if os.getpid() != self._process:
            os._exit(_BROKEN)
        if message:
            with contextlib.suppress(OSError):
                os.write(2, f"{message}\n".encode("utf-8", "replace"))
            os._exit(_BROKEN)
        if os.getpgrp() == self._process:
            os.killpg(self._process, signal.SIGKILL)
        os._exit(0)

    def _exit(self, code: int, number: int | None) -> NoReturn:
        with contextlib.suppress(BaseException):
            self._last()
        with contextlib.suppress(BaseException):
            for stream in (sys.__stdout__, sys.__stderr__):
                if stream is not None:
                    stream.flush()
            ctypes.CDLL(None).fflush(None)
        if number is not None:
            with contextlib.suppress(ValueError):
                signal.signal(number, signal.SIG_DFL)
            os.kill(self._process, number)
        os._exit(code)

    def _forked(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.close()
