"""A methods provider: the module that makes a service's own Flight RPC methods."""

import importlib
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from gooddata_flight_server.server.flight_rpc.server_methods import FlightServerMethods

from flexconnect_worker.worker.functions import Unloadable

_MARK = "__is_flight_server_methods__"
_WANTED = "it needs exactly one function marked with @flight_server_methods, with one parameter: the ServerContext"


def make(name: str, context: Any) -> FlightServerMethods:
    """The methods of the module; raises whatever it raises."""
    factory = _factory(name, _import(name))
    methods = factory(context)
    if not isinstance(methods, FlightServerMethods):
        raise Unloadable(
            f"{_called(factory)} of the methods provider '{name}' returned {_article(type(methods).__name__)}: "
            "it has to return FlightServerMethods"
        )
    return methods


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # One that the module itself needs is told as it is.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(f"the methods provider '{name}' is not found", name=error.name) from error


def _factory(name: str, module: ModuleType) -> Callable[[Any], Any]:
    marked = {id(member): member for member in vars(module).values() if getattr(member, _MARK, False) is True}
    if not marked:
        raise Unloadable(f"the methods provider '{name}' has no methods: {_WANTED}")
    if len(marked) > 1:
        names = ", ".join(sorted(map(_called, marked.values())))
        raise Unloadable(f"the methods provider '{name}' has {len(marked)} sets of methods ({names}): {_WANTED}")
    (factory,) = marked.values()
    # The mark is on a wrapper, which takes one argument whatever is within.
    made: Callable[[Any], Any] = inspect.unwrap(factory)
    if not callable(made) or len(inspect.signature(made).parameters) != 1:
        raise Unloadable(f"{_called(factory)} of the methods provider '{name}' takes other parameters: {_WANTED}")
    return made


def _called(factory: Any) -> str:
    return str(getattr(factory, "__name__", type(factory).__name__))


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
