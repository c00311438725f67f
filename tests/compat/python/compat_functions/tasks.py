"""Functions that take their time; the journal of the stage tells what became of them."""

import threading
from concurrent.futures import CancelledError

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ServerContext

from compat_functions.stage import Stage

_DONE = pa.schema([("done", pa.string())])
_PATIENCE_SECONDS = 30


class Sleeper(FlexConnectFunction):
    """Sleeps `seconds`, and ends early when it is cancelled: properly, or (`rude`) with an error of its own."""

    Name = "Sleeper"
    Schema = _DONE

    def __init__(self) -> None:
        self._key = "unknown"
        self._cancelled = threading.Event()

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        Stage.load(ctx)

    def call(self, parameters, columns, headers):  # noqa: ARG002
        self._key = parameters["key"]
        Stage.note(self._key, "started")
        if self._cancelled.wait(parameters["seconds"]):
            Stage.note(self._key, "cancelled")
            if parameters.get("rude"):
                raise RuntimeError("driver: query interrupted")
            raise CancelledError
        Stage.note(self._key, "finished")
        return pa.table([["slept"]], schema=_DONE)

    def cancel(self) -> bool:
        Stage.note(self._key, "hook")
        self._cancelled.set()
        return True


class Stubborn(FlexConnectFunction):
    """Waits for the file `release-KEY` on the stage, whoever cancels it."""

    Name = "Stubborn"
    Schema = _DONE

    def __init__(self) -> None:
        self._key = "unknown"

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        Stage.load(ctx)

    def call(self, parameters, columns, headers):  # noqa: ARG002
        self._key = parameters["key"]
        Stage.note(self._key, "started")
        released = Stage.wait_for(f"release-{self._key}", _PATIENCE_SECONDS)
        Stage.note(self._key, "finished")
        return pa.table([["released" if released else "gave up"]], schema=_DONE)

    def cancel(self) -> bool:
        Stage.note(self._key, "hook")
        return False


class LateLoader(FlexConnectFunction):
    """Loads only once the file `open` is on the stage, where the setting `compat.late` asks for it."""

    Name = "LateLoader"
    Schema = _DONE

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        Stage.load(ctx)
        if ctx.settings.get("compat.late"):
            Stage.wait_for("open", _PATIENCE_SECONDS)
        if ctx.settings.get("compat.broken"):
            raise ValueError("the function does not want to load")

    def call(self, parameters, columns, headers):  # noqa: ARG002
        return pa.table([["loaded"]], schema=_DONE)
