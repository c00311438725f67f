"""Functions that return what they were given, as rows of a key and a JSON text."""

import base64
import dataclasses
from typing import Any

import orjson
import pyarrow as pa
from gooddata_flexconnect import ExecutionContext, FlexConnectFunction
from gooddata_flight_server import ServerContext

_PAIRS = pa.schema([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string(), nullable=False)])


def _pairs(values: dict[str, Any]) -> pa.Table:
    texts = [orjson.dumps(value, default=_encode).decode() for value in values.values()]
    return pa.table([list(values), texts], schema=_PAIRS)


def _encode(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


class Echo(FlexConnectFunction):
    """Parameters, columns and headers of its call."""

    Name = "Echo"
    Schema = _PAIRS

    def call(self, parameters, columns, headers):
        return _pairs({"parameters": parameters, "columns": columns, "headers": headers})


class Settings(FlexConnectFunction):
    """The configuration values named in `keys`."""

    Name = "Settings"
    Schema = _PAIRS
    _context: ServerContext

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        Settings._context = ctx

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return _pairs({key: self._context.settings.get(key) for key in parameters["keys"]})


class Context(FlexConnectFunction):
    """The execution context as the library reads it."""

    Name = "Context"
    Schema = _PAIRS

    def call(self, parameters, columns, headers):  # noqa: ARG002
        context = ExecutionContext.from_parameters(parameters)
        if context is None:
            return _pairs({"context": None})
        return _pairs(
            {
                "type": context.execution_type.value,
                "organization": context.organization_id,
                "workspace": context.workspace_id,
                "user": context.user_id,
                "timestamp": context.timestamp,
                "timezone": context.timezone,
                "week start": context.week_start,
                "attributes": [
                    {
                        "attribute": [attribute.attribute_identifier, attribute.attribute_title],
                        "label": [attribute.label_identifier, attribute.label_title],
                        "granularity": attribute.date_granularity,
                        "sorting": attribute.sorting,
                    }
                    for attribute in context.attributes
                ],
                "filters": [
                    {"kind": type(each).__name__.removeprefix("ExecutionContext"), **dataclasses.asdict(each)}
                    for each in context.filters
                ],
            }
        )
