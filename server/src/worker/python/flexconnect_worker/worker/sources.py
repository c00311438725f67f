"""Where the code of this process that people write themselves lies."""

import site
import sys
import sysconfig
from pathlib import Path

_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
_MOST = 256


def folders(modules: list[str]) -> list[str]:
    """The folders of the modules that are neither Python's own nor installed packages, this one excepted."""
    installed = {path for name in _INSTALLED if (path := sysconfig.get_paths().get(name))}
    installed |= {*site.getsitepackages(), site.getusersitepackages()}
    excluded = [Path(path).resolve() for path in installed]
    excluded.append(Path(__file__).resolve().parents[2])
    found = set()
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            folder = Path(file).resolve().parent
            if not any(folder.is_relative_to(other) for other in excluded):
                found.add(str(folder))
    return sorted(found)[:_MOST]
