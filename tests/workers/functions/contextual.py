"""A function that keeps what `on_load` gave it."""

from typing import Any

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ModuleHealthStatus, ServerContext

_KEPT: list[ServerContext] = []


class Context(FlexConnectFunction):
    """Answers questions about its context."""

    Name = "Context"
    Schema = pa.schema([("answer", pa.string())])

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """Keeps it, and says that all is well."""
        _KEPT.append(ctx)
        ctx.health.set_module_status("contextual", ModuleHealthStatus.OK)

    def call(self, parameters: dict, columns: Any, headers: dict) -> pa.Table:  # noqa: ARG002
        """The value of an expression."""
        return pa.table({"answer": [repr(eval(parameters["question"], {"ctx": _KEPT[0]}))]})  # noqa: S307
