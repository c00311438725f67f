"""Loads people's modules the way the vendor's server does, and says in its words what went wrong."""

import base64
import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Callable
from typing import Any

from flexconnect_worker import kernel
from flexconnect_worker.packet import Head
from flexconnect_worker.worker.journal import Journal
from flexconnect_worker.worker.text import describe, dumps, loads

FLEXCONNECT = "gooddata_flexconnect"
FLEXFUN = "gooddata_flexfun"
_PYTHON = (3, 10)
_PACKAGES = {FLEXCONNECT: "gooddata-flexconnect", FLEXFUN: "gooddata-flexfun"}
_OLDEST = "1.30.0"


class Unloadable(Exception):  # noqa: N818
    """The functions cannot be had; `advice` is a command that mends it."""

    def __init__(self, message: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.advice = advice


def needed(provider: str) -> dict[str, str]:
    """The packages that a methods provider needs, and how old they may be."""
    return {"pyarrow": "16.1.0", _PACKAGES.get(provider, "gooddata-flight-server"): _OLDEST}


def check(provider: str) -> None:
    """Raises `Unloadable` unless this interpreter has what is needed."""
    if sys.version_info < _PYTHON:
        raise Unloadable(f"Python {platform.python_version()} is too old: functions need 3.10 or newer")
    wrong = []
    packages = needed(provider)
    for package, oldest in packages.items():
        found = _version(package)
        if found is None:
            wrong.append(f"{package} is not installed")
        elif _order(found) < _order(oldest):
            wrong.append(f"{package} {found} is older than {oldest}")
    if wrong:
        wanted = " ".join(f"'{package}>={oldest}'" for package, oldest in packages.items())
        raise Unloadable(
            f"{' and '.join(wrong)} in the Python {platform.python_version()} of {sys.executable}",
            f"{sys.executable} -m pip install --upgrade {wanted}",
        )


def prepare(about: Head, journal: Journal, tell_health: Callable[[str, str], None]) -> Any:
    """The vendor's `ServerContext`, with logs and traces set up."""
    from flexconnect_worker.worker import context, image, logs, tracing  # noqa: PLC0415

    _set_up_logs(logs, journal, about.get("logging") or {})
    logs.set_up_structlog((about.get("server") or {}).get("log_event_key_name") or "event")
    own = image.of(about)
    made = context.make(about, own, tell_health)
    tracing.set_up(made.config.otel_config)
    if own is not None:
        about["ignored"] = own.ignored
        older = about.get("provider") == FLEXFUN
        about["modules"] = about.get("modules") or (_older(own.settings) if older else own.modules)
    return made


def load(provider: str, about: Head, context: Any) -> dict[str, Any]:
    """The functions by name; raises whatever their modules raise."""
    modules: list[str] = about.get("modules") or []
    if not modules and "ignored" in about and not about.get("verifier"):
        files = ", ".join(about["files"])
        raise Unloadable(f"no functions are configured, neither for the server nor in this image ({files})")
    if provider == FLEXFUN:
        from gooddata_flexfun.flexfun.flex_fun_registry import FlexFunRegistry  # noqa: PLC0415

        older: dict[str, Any] = FlexFunRegistry().load(context, modules).flex_funs
        return older
    from gooddata_flexconnect.function.function_registry import FlexConnectFunctionRegistry  # noqa: PLC0415

    return FlexConnectFunctionRegistry().load(context, modules).functions


def _older(settings: Any) -> list[str]:
    return [str(module) for module in settings.get("flexfun.functions") or []]


def words(error: BaseException) -> str:
    """What went wrong while loading, as the last line of what the vendor's server prints, without a well-known name."""
    text = describe(error)
    if isinstance(error, (ValueError, ImportError, Unloadable)) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def advice(error: BaseException, modules: list[str]) -> str | None:
    """What mends it, where that is plain: a configured module that is not found, or one that it needs."""
    if isinstance(error, Unloadable):
        return error.advice
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    if not any(f"{module}.".startswith(f"{error.name}.") for module in modules):
        return f"install the package that has it, with {sys.executable} -m pip"
    if "/" in error.name or error.name.endswith(".py"):
        return "name modules as in an import, such as sales.report for sales/report.py"
    parent = error.name.rpartition(".")[0]
    places = list(getattr(sys.modules.get(parent), "__path__", ()))
    if places:
        return f"correct its name: the package {parent} is in {places[0]}, and it is not there"
    return "set PYTHONPATH, or python.path in the configuration, to the folder that it is in"


def listing(provider: str, functions: dict[str, Any], about: Head) -> Head:
    """What the server has to know about the functions that were loaded."""
    return {
        "ignored": about.get("ignored", []),
        "functions": [
            {
                "name": name,
                "schema": base64.b64encode(function.Schema.serialize()).decode(),
                "metadata": _metadata(function),
            }
            for name, function in functions.items()
        ],
        "versions": {
            "python": platform.python_version(),
            **{package: _version(package) for package in needed(provider)},
        },
        "memory": kernel.proportional(os.getpid()) or kernel.resident(os.getpid()),
    }


def _metadata(function: Any) -> Any:
    try:
        return loads(dumps(function.Metadata))
    except ValueError:
        return None


def _set_up_logs(logs: Any, journal: Journal, wanted: Head) -> None:
    ini = wanted.get("ini")
    try:
        logs.set_up(journal, wanted.get("level") or "info", ini)
    except Exception as error:
        raise Unloadable(f"the logging configuration {ini} cannot be used: {describe(error)}") from error


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _order(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:3]]
