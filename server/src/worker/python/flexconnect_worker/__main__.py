"""Starts this package from wherever the server unpacked it: `python -I FOLDER host …` or `python FOLDER worker`."""

import importlib
import importlib.util
import sys
from pathlib import Path

_NAME = "flexconnect_worker"


def _find() -> None:
    # Python puts the folder that it runs on its path; there, our modules would hide people's own of the same names.
    folder = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != folder]
    spec = importlib.util.spec_from_file_location(
        _NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        sys.exit(f"{folder} is no Python package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_NAME] = package
    spec.loader.exec_module(package)


def main() -> None:
    """Runs what the first argument names."""
    _find()
    part, arguments = sys.argv[1:2], sys.argv[2:]
    if part == ["host"]:
        run = importlib.import_module(f"{_NAME}.host.main").main
    elif part == ["live"]:
        run = importlib.import_module(f"{_NAME}.host.main").live_main
    elif part == ["worker"]:
        run = importlib.import_module(f"{_NAME}.worker.main").main
    else:
        sys.exit("usage: python3 -I FOLDER/flexconnect_worker {host,live} [--socket PATH]")
    run(arguments)


if __name__ == "__main__":
    main()
