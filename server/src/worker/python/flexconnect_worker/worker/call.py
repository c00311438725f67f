"""Runs one call of a function."""

import base64
import contextvars
from typing import Any

import pyarrow as pa

from flexconnect_worker.packet import Head
from flexconnect_worker.worker import output, tracing
from flexconnect_worker.worker.failure import Cancelled
from flexconnect_worker.worker.running import CURRENT, Task
from flexconnect_worker.worker.text import loads


def parameters(body: bytes | bytearray) -> dict[str, Any]:
    """The parameters of a call: any falsy JSON value stands for none."""
    found = (loads(body) if body else None) or {}
    if not isinstance(found, dict):
        raise ValueError("the parameters are no JSON object")  # noqa: TRY004 - as the vendor's code says BAD_ARGUMENT
    return found


def headers(head: Head) -> dict[str, list[Any]]:
    """The headers of a call; those whose names end with -bin hold bytes, which are base64 in JSON."""
    found: dict[str, list[Any]] = head.get("headers") or {}
    for name, values in found.items():
        if name.endswith("-bin"):
            values[:] = [base64.b64decode(value) for value in values]
    return found


def run(function: Any, task: Task, head: Head, body: bytes | bytearray) -> pa.Table | pa.RecordBatchReader:
    """Makes an object of the function's class and calls it, in a context of the call's own."""
    task.context = contextvars.copy_context()
    return task.context.run(_run, function, task, head, body)


def _run(function: Any, task: Task, head: Head, body: bytes | bytearray) -> pa.Table | pa.RecordBatchReader:
    CURRENT.set(task)
    if task.trace.get("traceparent"):
        tracing.enter(task.trace)
    try:
        given = parameters(body)
        task.instance = function.create()
        if task.cancelled:
            raise Cancelled
        result = task.instance.call(parameters=given, columns=given.get("columns"), headers=headers(head))
    finally:
        output.finish()
    if task.cancelled:
        raise Cancelled
    if not isinstance(result, (pa.Table, pa.RecordBatchReader)):
        raise ValueError(  # noqa: TRY004 - BAD_ARGUMENT, as in the vendor's server
            f"Unexpected type of 'data': {type(result).__name__}. Expected Arrow Table or RecordBatchReader."
        )
    return result
