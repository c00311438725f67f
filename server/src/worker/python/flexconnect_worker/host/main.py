"""Starts worker processes as the server says and tells it how they are: as its child, or in another container."""

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
from flexconnect_worker.host import live, memory
from flexconnect_worker.host.child import Child, Stream
from flexconnect_worker.host.house import House
from flexconnect_worker.host.link import Link, Refused
from flexconnect_worker.host.signals import Signals, Told
from flexconnect_worker.host.watch import Watch
from flexconnect_worker.host.way import Way

_TICK = 1.0
_GRACE = 5.0
_LONG = 10.0
_SOCKET = "/run/flexconnect/python.sock"


def main(arguments: list[str]) -> NoReturn:
    """Serves until told to end; the exit code is 0 for an end in order."""
    parser = argparse.ArgumentParser("flexconnect_worker host", description=__doc__)
    parser.add_argument("--socket", default=_SOCKET, help="what python.socket of the server says (%(default)s)")
    parser.add_argument(
        "--path", action="append", default=[], help="a folder with modules, before those of PYTHONPATH; may be repeated"
    )
    parser.add_argument("--once", action="store_true", help="end with the server, as its child does")
    options = parser.parse_args(arguments)
    search = [*options.path, *filter(None, [os.environ.get("PYTHONPATH")])]
    if search:
        os.environ["PYTHONPATH"] = os.pathsep.join(search)
    # A terminal's interrupt goes to the server as well, which still has calls to finish.
    ends = {signal.SIGTERM} if options.once else {signal.SIGTERM, signal.SIGINT}
    if options.once:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch = Watch()
    signals = Signals(ends)
    with contextlib.suppress(OSError):
        kernel.adopt_orphans()
    signs = None if options.once else live.Signs(options.socket)
    try:
        _run(Way(options.socket, signals, signs, once=options.once), watch)
    except Told:
        pass
    except packet.Malformed as error:
        sys.exit(f"the server and this host do not understand each other: {error}")
    finally:
        if signs is not None:
            signs.take_away()
        watch.close()
    sys.exit(0)


def live_main(arguments: list[str]) -> NoReturn:
    """Ends with 0 when the host of this container is well, for a liveness probe."""
    parser = argparse.ArgumentParser("flexconnect_worker live", description=live_main.__doc__)
    parser.add_argument("--socket", default=_SOCKET, help="the one that the host was given (%(default)s)")
    sys.exit(live.why_not(parser.parse_args(arguments).socket))


def _run(way: Way, watch: Watch) -> None:
    """One server after the other."""
    while not way.signals.told:
        link = way.find()
        began = time.monotonic()
        try:
            _serve(link, way, watch)
        except Refused as refused:
            way.say(f"the server wants no host: {refused}")
            way.wait_long()
            continue
        if way.once:
            return
        way.say("the server has ended; its workers are gone, and the next server is waited for")
        if time.monotonic() - began < _LONG:
            way.wait()


def _serve(link: Link, way: Way, watch: Watch) -> None:
    """Until the server ends; `Told` when this process was told to end. No process is left then."""
    house = House(link, way.path, watch, way.signs)
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
        _loop(link, house, way)
    except packet.Ended:
        pass
    finally:
        house.end(_GRACE)
        link.close()


def _loop(link: Link, house: House, way: Way) -> None:
    tick = time.monotonic()
    last: float | None = None
    while last is None or (not house.empty and time.monotonic() < last):
        ready = _wait(link, house, way.signals, max(0.0, min(tick, last or tick) - time.monotonic()))
        if way.signals.take():
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
            way.live()
            tick = time.monotonic() + _TICK
    raise Told


def _wait(link: Link, house: House, signals: Signals, seconds: float) -> list[tuple[Child, Stream]]:
    with selectors.PollSelector() as selector:
        selector.register(signals.descriptor, selectors.EVENT_READ)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if link.waits else 0)
        selector.register(link.connection, events)
        for pair in house.streams():
            if pair[1].descriptor is not None:
                selector.register(pair[1].descriptor, selectors.EVENT_READ, pair)
        return [key.data for key, _ in selector.select(seconds) if key.data is not None]
