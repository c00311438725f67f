"""A function for the original server that shows what it was asked."""

import threading

import pyarrow as pa
from gooddata_flexconnect import ExecutionContext, FlexConnectFunction


class Echo(FlexConnectFunction):
    """One row for each filter of the execution context, as the vendor's own classes read it."""

    Name = "Echo"
    Schema = pa.schema([("pollable", pa.bool_()), ("filter", pa.string())])

    def call(self, parameters, columns, headers):
        context = ExecutionContext.from_parameters(parameters)
        if context is None:
            raise ValueError("there is no execution context")
        if parameters.get("refuse"):
            raise ValueError(parameters["refuse"])
        # Long enough to be put off once or twice.
        threading.Event().wait(parameters.get("seconds", 0))
        pollable = "x-quiver-pollable" in headers
        rows = [{"pollable": pollable, "filter": type(each).__name__} for each in context.filters]
        return pa.Table.from_pylist(rows, schema=self.Schema).select(columns or self.Schema.names)
