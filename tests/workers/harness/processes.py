"""What the kernel knows of processes."""

import os
import time
from pathlib import Path

PATIENCE = 30.0


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(*pids: int) -> None:
    """Returns when none of the processes runs."""
    until = time.monotonic() + PATIENCE
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < until, f"{[pid for pid in pids if is_alive(pid)]} run on"
        time.sleep(0.01)


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def in_group(group: int) -> list[int]:
    """The processes that run in a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if stat[2] == str(group) and stat[0] != "Z":
            found.append(int(entry.name))
    return found
