"""What only the kernel can say or do: process attributes and memory."""

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
MARK = "FLEXCONNECT_WORKER"
"""The variable by which all that comes from a worker is known: the host's own mark, a stop, the worker's number."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with_parent(parent: int) -> bool:
    """Has this process killed when the thread that started it ends; false when that happened already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """The processes whose parent is this one."""
    mine = str(os.getpid())
    found = []
    for pid in processes():
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        # The name, in brackets, may hold anything; the state and the parent follow the last bracket.
        if stat.rpartition(")")[2].split()[1] == mine:
            found.append(pid)
    return found


def processes() -> list[int]:
    """All processes that this one can see."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def mark(pid: int) -> str | None:
    """The mark that a process was started with; none when it has none, or may not be looked at."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    start = f"{MARK}=".encode()
    return next((variable[len(start) :].decode() for variable in variables if variable.startswith(start)), None)


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use, shared ones included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def proportional(pid: int) -> int | None:
    """Bytes of memory that a process has in use, shared ones divided among their users; none if the kernel hides it."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return None
