"""Functions that use what a server has for their modules beside calls: metrics, health, logs."""

import logging
import os
import sys
import time
import warnings
from pathlib import Path

import pyarrow as pa
import structlog
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ModuleHealthStatus
from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

_PIDS = pa.schema([("pid", pa.int64())])
_ROWS = Counter("shop_rows", "Rows of the shop.", ["region"])
_WAIT = Histogram("shop_wait_seconds", "Time spent waiting.", buckets=[1, 10])
_LEVEL = Gauge("shop_level", "What a worker has in stock.")
_TAKEN = Counter("flexconnect_tasks", "Somebody else's name.")


def _pid() -> pa.Table:
    return pa.table({"pid": pa.array([os.getpid()], pa.int64())}, schema=_PIDS)


class Count(FlexConnectFunction):
    """Counts what it does."""

    Name = "Count"
    Schema = _PIDS

    def call(self, parameters, columns, headers):
        """Counts, and waits for a file if there is one to wait for."""
        _ROWS.labels(region='the "north"').inc(3)
        _WAIT.observe(2)
        _LEVEL.set(7)
        gate = parameters.get("gate")
        while gate and not Path(gate).exists():
            time.sleep(0.01)
        return _pid()


class Ail(FlexConnectFunction):
    """Reports the health of its module."""

    Name = "Ail"
    Schema = _PIDS

    @staticmethod
    def on_load(ctx):
        """Keeps the context."""
        Ail.health = ctx.health

    def call(self, parameters, columns, headers):
        """Reports what it is told to."""
        self.health.set_module_status("warehouse", ModuleHealthStatus(parameters["status"]))
        return _pid()


class Talk(FlexConnectFunction):
    """Writes and logs in all ways there are."""

    Name = "Talk"
    Schema = _PIDS

    def call(self, parameters, columns, headers):
        """One line each."""
        print("said by print")
        print("said by stderr", file=sys.stderr)
        logging.getLogger("shop").debug("said too softly")
        logging.getLogger("shop").error("said by logging: %s", 7, extra={"rows": 3})
        structlog.get_logger("shop.structured").warning("said by structlog", region="north")
        warnings.warn("said by warnings", stacklevel=1)
        with trace.get_tracer("shop").start_as_current_span("shop_work"):
            logging.getLogger("shop").info("said in a span")
        return _pid()
