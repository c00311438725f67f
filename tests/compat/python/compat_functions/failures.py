"""Functions that fail, in every way the protocol knows."""

import pyarrow as pa
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ErrorInfo

_NOTHING = pa.schema([("never", pa.string())])


class Fail(FlexConnectFunction):
    """Fails as `kind` says, with `message` repeated `repeat` times; Flight kinds take `code`, `detail`, `body` too."""

    Name = "Fail"
    Schema = _NOTHING

    def call(self, parameters, columns, headers):  # noqa: ARG002
        message = parameters.get("message", "the call failed") * parameters.get("repeat", 1)
        kind = parameters["kind"]
        if kind == "value":
            raise ValueError(message)
        if kind == "runtime":
            raise RuntimeError(message)
        body = parameters.get("body", "") * parameters.get("body_repeat", 1)
        info = ErrorInfo(message, parameters.get("detail"), body.encode() or None, parameters.get("code", 0))
        make = {
            "server": info.to_server_error,
            "internal": info.to_internal_error,
            "timeout": info.to_timeout_error,
            "cancelled": info.to_cancelled_error,
            "unavailable": info.to_unavailable_error,
            "unauthenticated": info.to_unauthenticated_error,
            "unauthorized": info.to_unauthorized_error,
        }[kind]
        raise make()


class Panic(FlexConnectFunction):
    """Breaks off as a bug does: an assertion here, a panic in Rust."""

    Name = "Panic"
    Schema = _NOTHING

    def call(self, parameters, columns, headers):  # noqa: ARG002
        raise AssertionError("a bug in the function")


class Exit(FlexConnectFunction):
    """Ends its worker thread for good: an exit here, a panic in Rust."""

    Name = "Exit"
    Schema = _NOTHING

    def call(self, parameters, columns, headers):  # noqa: ARG002
        raise SystemExit(3)
