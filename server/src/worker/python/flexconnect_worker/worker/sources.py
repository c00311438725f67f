"""Where the code of this process that people write themselves lies."""

import os
import site
import sys
import sysconfig

_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")
_MOST = 256


def folders(modules: list[str]) -> list[str]:
    """The folders of the modules that are neither Python's own nor installed packages, this one excepted."""
    installed = {path for name in _INSTALLED if (path := sysconfig.get_paths().get(name))}
    installed |= {*site.getsitepackages(), site.getusersitepackages()}
    installed.add(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    excluded = tuple(os.path.join(os.path.realpath(path), "") for path in installed)
    found = set()
    for name in modules:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            folder = os.path.dirname(os.path.realpath(file))
            if not os.path.join(folder, "").startswith(excluded):
                found.add(folder)
    return sorted(found)[:_MOST]
