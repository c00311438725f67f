"""Connects to the server and serves it until either of the two ends."""

import argparse
import contextlib
import os
import platform
import selectors
import signal
import sys
import time
from typing import NoReturn

from flexconnect_worker import PROTOCOL, kernel, packet
from flexconnect_worker.host import memory
from flexconnect_worker.host.child import Child, Stream
from flexconnect_worker.host.house import House
from flexconnect_worker.host.link import Link
from flexconnect_worker.host.watch import Watch

_TICK = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_GRACE = 5.0
_CONNECT_ONCE = 10.0


class _Told(Exception):  # noqa: N818
    """Somebody told this process to end."""


class _Signals:
    """Signals as something to wait for."""

    def __init__(self, ends: set[signal.Signals]) -> None:
        self.descriptor, writing = os.pipe()
        for end in (self.descriptor, writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._ends = ends
        self.told = False
        for number in (signal.SIGCHLD, *ends):
            signal.signal(number, lambda *_: None)

    def take(self) -> bool:
        """Whether one of those that end this process has come now; `told` remembers it."""
        with contextlib.suppress(BlockingIOError):
            if any(number in self._ends for number in os.read(self.descriptor, 4096)):
                self.told = True
                return True
        return False


def main(arguments: list[str]) -> NoReturn:
    """Serves until told to end; the exit code is 0 for an end in order."""
    parser = argparse.ArgumentParser("flexconnect_worker host", description=__doc__)
    parser.add_argument("--socket", required=True, help="the server's socket")
    parser.add_argument("--once", action="store_true", help="end with the server, as its child does")
    options = parser.parse_args(arguments)
    # A terminal's interrupt goes to the server as well, which still has calls to finish.
    ends = {signal.SIGTERM} if options.once else {signal.SIGTERM, signal.SIGINT}
    if options.once:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = Watch()
    signals = _Signals(ends)
    with contextlib.suppress(OSError):
        kernel.adopt_orphans()
    try:
        while not signals.told:
            _serve(_connect(options.socket, signals, options.once), options.socket, signals, watch)
            if options.once:
                break
    except _Told:
        pass
    except packet.Malformed as error:
        sys.exit(f"the server and this host do not understand each other: {error}")
    finally:
        watch.close()
    sys.exit(0)


def _connect(path: str, signals: _Signals, once: bool) -> Link:
    pause, began = _FIRST_PAUSE, time.monotonic()
    while True:
        try:
            return Link(packet.connect(path))
        except OSError as error:
            if once and time.monotonic() - began > _CONNECT_ONCE:
                sys.exit(f"the server does not answer on {path}: {error}")
        with selectors.DefaultSelector() as selector:
            selector.register(signals.descriptor, selectors.EVENT_READ)
            selector.select(pause)
        if signals.take():
            raise _Told
        _reap_strangers()
        pause = min(pause * 2, _LONGEST_PAUSE)


def _serve(link: Link, path: str, signals: _Signals, watch: Watch) -> None:
    """Until the server ends; `_Told` when this process was told to end. No process is left then."""
    house = House(link, path, watch)
    try:
        link.send(
            {
                "op": "host",
                "protocol": PROTOCOL,
                "pid": os.getpid(),
                "python": platform.python_version(),
                "cpus": memory.processors(),
                "memory": memory.allowed(),
            }
        )
        _loop(link, house, signals)
    except packet.Ended:
        pass
    finally:
        house.end(_GRACE)
        link.close()


def _loop(link: Link, house: House, signals: _Signals) -> None:
    tick = time.monotonic() + _TICK
    last: float | None = None
    while last is None or (not house.empty and time.monotonic() < last):
        ready = _wait(link, house, signals, max(0.0, min(tick, last or tick) - time.monotonic()))
        if signals.take():
            if last is not None:
                break
            last = time.monotonic() + _GRACE
            house.signal(signal.SIGTERM)
        house.reap()
        for child, stream in ready:
            house.forward(child, stream)
        link.flush()
        while (head := link.receive()) is not None:
            house.obey(head)
        if time.monotonic() >= tick:
            house.measure()
            tick = time.monotonic() + _TICK
    raise _Told


def _wait(link: Link, house: House, signals: _Signals, seconds: float) -> list[tuple[Child, Stream]]:
    with selectors.PollSelector() as selector:
        selector.register(signals.descriptor, selectors.EVENT_READ)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.waits else 0)
        selector.register(link.connection, events)
        for pair in house.streams():
            if pair[1].descriptor is not None:
                selector.register(pair[1].descriptor, selectors.EVENT_READ, pair)
        return [key.data for key, _ in selector.select(seconds) if key.data is not None]


def _reap_strangers() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
