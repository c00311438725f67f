"""Starts a worker: proves itself to the server, then does what its packets say."""

import contextlib
import json
import os
import sys
from typing import NoReturn

from flexconnect_worker import kernel
from flexconnect_worker.worker.post import Post


def main(_arguments: list[str]) -> NoReturn:
    """Runs until the server says so; what it is told to begin with comes through its standard input."""
    about = json.loads(sys.stdin.buffer.read() or b"{}")
    if not about:
        sys.exit("a worker is started by the host")
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
    if not kernel.die_with_parent(about["parent"]):
        os._exit(0)
    Post(about).run()
