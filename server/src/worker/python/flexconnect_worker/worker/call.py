"""Runs one call of a function."""

import contextvars
from typing import Any

import pyarrow as pa

from flexconnect_worker.packet import Head
from flexconnect_worker.worker import output, tracing
from flexconnect_worker.worker.failure import Cancelled
from flexconnect_worker.worker.running import CURRENT, Task
from flexconnect_worker.worker.text import loads


def parameters(body: bytes) -> dict[str, Any]:
    """The parameters of a call: any falsy JSON value stands for none."""
    found = (loads(body) if body else None) or {}
    if not isinstance(found, dict):
        raise ValueError("the parameters are no JSON object")  # noqa: TRY004 - as the vendor's code says BAD_ARGUMENT
    return found


def run(function: Any, task: Task, head: Head, body: bytes) -> pa.Table | pa.RecordBatchReader:
    """Makes an object of the function's class and calls it, in a context of the call's own."""
    task.context = contextvars.copy_context()
    return task.context.run(_run, function, task, head, body)


def _run(function: Any, task: Task, head: Head, body: bytes) -> pa.Table | pa.RecordBatchReader:
    CURRENT.set(task)
    if task.trace:
        tracing.enter(task.trace)
    try:
        given = parameters(body)
        task.instance = function.create()
        if task.cancelled:
            raise Cancelled
        result = task.instance.call(parameters=given, columns=given.get("columns"), headers=head.get("headers") or {})
    finally:
        output.finish()
    if task.cancelled:
        raise Cancelled
    if not isinstance(result, (pa.Table, pa.RecordBatchReader)):
        raise ValueError(  # noqa: TRY004 - BAD_ARGUMENT, as in the vendor's server
            f"Unexpected type of 'data': {type(result).__name__}. Expected Arrow Table or RecordBatchReader."
        )
    return result
