"""How much memory workers use, how much their cgroup allows, and whether it had to kill."""

import os
import time
from pathlib import Path

from flexconnect_worker import kernel

_CGROUPS = Path("/sys/fs/cgroup")
_SHARE = 0.01
_NO_LIMIT = 1 << 60


class Gauge:
    """Measures one process, in at most one hundredth of the time.

    The kernel walks all pages of a process to divide the shared ones, for some 100 ms in a process of 10 GB, which
    cannot map memory meanwhile. Between two such walks the growth of the resident size is added.
    """

    def __init__(self) -> None:
        self._walked = 0
        self._resident = 0
        self._next = 0.0

    def read(self, pid: int) -> int | None:
        """Bytes in use now; none when the process has ended."""
        try:
            resident = kernel.resident(pid)
        except (OSError, ValueError, IndexError):
            return None
        began = time.monotonic()
        if began >= self._next:
            walked = kernel.proportional(pid)
            ended = time.monotonic()
            self._next = ended + (ended - began) / _SHARE
            self._walked, self._resident = walked or resident, resident
        return max(0, self._walked + resident - self._resident)


def processors() -> int:
    """How many processors this process may use at once, quotas of its cgroups included."""
    count = float(len(os.sched_getaffinity(0)))
    for folder in _folders("cpu"):
        quota, period = _words(folder / "cpu.max"), 100_000.0
        if len(quota) == 2 and quota[0] != "max":
            count = min(count, float(quota[0]) / float(quota[1]))
        old = _number(folder / "cpu.cfs_quota_us")
        if old is not None and old > 0:
            count = min(count, old / (_number(folder / "cpu.cfs_period_us") or period))
    return max(1, round(count + 0.49))


def allowed() -> int | None:
    """Bytes of memory that the cgroups of this process allow; none without a limit."""
    limits = []
    for folder in _folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _number(folder / name)
            if limit is not None and limit < _NO_LIMIT:
                limits.append(limit)
    return min(limits, default=None)


def kills() -> int:
    """How often the cgroup of this process has killed one of its processes for want of memory."""
    for folder in _folders("memory"):
        for name in ("memory.events", "memory.oom_control"):
            for line in _lines(folder / name):
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
    return 0


def _folders(controller: str) -> list[Path]:
    """The folders of this process's cgroups, of version 2 and 1, the innermost first."""
    found: list[Path] = []
    for line in _lines(Path("/proc/self/cgroup")):
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = _CGROUPS / controller if names else _CGROUPS
        inner = root / path.lstrip("/")
        # In a container the path may be that of the machine, which is not to be seen; the root is the container's.
        found += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root) and folder.is_dir()]
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if len(words) == 1 and words[0].lstrip("-").isdigit() else None
