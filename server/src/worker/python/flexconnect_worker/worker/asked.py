"""A call of a Flight method as the module sees it: the caller behind the server, not the server itself."""

import json
from typing import Any

from gooddata_flight_server.server.auth.auth_middleware import TokenAuthMiddleware
from gooddata_flight_server.server.flight_rpc.flight_middleware import CallFinalizer, CallInfo
from pyarrow import flight

_OURS = "x-flexconnect-"
_KEY = f"{_OURS}key"
_PEER = f"{_OURS}peer"
_IDENTITY = f"{_OURS}identity-bin"
_NAME = "flexconnect_caller"


class Caller(flight.ServerMiddleware):  # type: ignore[misc]
    """What the server says about the caller."""

    def __init__(self, headers: dict[str, list[Any]]) -> None:
        super().__init__()
        self.peer: str = _first(headers, _PEER) or ""
        identity = json.loads(_first(headers, _IDENTITY) or b"null")
        self.is_known = identity is not None
        self.subject: str = (identity or {}).get("subject") or ""
        self.claims: dict[str, Any] | None = (identity or {}).get("claims")
        self.trace = {name: _first(headers, name) or "" for name in ("traceparent", "tracestate")}


class Door(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Lets calls in that come from the server, which knows the key."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def start_call(self, _info: flight.CallInfo, headers: dict[str, list[Any]]) -> Caller:
        """See pyarrow."""
        if _first(headers, _KEY) != self._key:
            raise flight.FlightUnauthenticatedError("Calls come through the server.")
        return Caller(headers)


class Vendors(flight.ServerMiddlewareFactory):  # type: ignore[misc]
    """Makes the vendor's middleware of a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def start_call(self, info: flight.CallInfo, headers: dict[str, list[Any]]) -> flight.ServerMiddleware | None:
        """See pyarrow."""
        if self._name == CallFinalizer.MiddlewareName:
            return CallFinalizer()
        if self._name == CallInfo.MiddlewareName:
            return CallInfo(info, {name: values for name, values in headers.items() if not name.startswith(_OURS)})
        caller = Caller(headers)
        # The server keeps the token, unless it was told to pass credentials on; then it is among the headers.
        return TokenAuthMiddleware("", caller.claims) if caller.is_known else None


def middleware(key: str) -> dict[str, flight.ServerMiddlewareFactory]:
    """The middleware of every call."""
    vendors = [CallInfo.MiddlewareName, CallFinalizer.MiddlewareName, TokenAuthMiddleware.MiddlewareName]
    return {_NAME: Door(key)} | {name: Vendors(name) for name in vendors}


def caller(context: flight.ServerCallContext) -> Caller:
    """Who calls."""
    found: Caller = context.get_middleware(_NAME)
    return found


class Call(flight.ServerCallContext):  # type: ignore[misc]
    """A call's context: as pyarrow made it, but for the caller, who is not on the other end of this connection."""

    def __init__(self, context: flight.ServerCallContext) -> None:
        self._context = context
        self._caller = caller(context)

    def peer_identity(self) -> bytes:
        """The caller's name, where authentication found one."""
        return self._caller.subject.encode()

    def peer(self) -> str:
        """Where the call comes from."""
        return self._caller.peer

    def is_cancelled(self) -> bool:
        """Whether the caller is gone, or its deadline has passed."""
        cancelled: bool = self._context.is_cancelled()
        return cancelled

    def get_middleware(self, key: str) -> flight.ServerMiddleware | None:
        """See pyarrow."""
        return self._context.get_middleware(key)

    def add_header(self, key: str, value: str) -> None:
        """See pyarrow."""
        self._context.add_header(key, value)

    def add_trailer(self, key: str, value: str) -> None:
        """See pyarrow."""
        self._context.add_trailer(key, value)


def _first(headers: dict[str, list[Any]], name: str) -> Any:
    values = headers.get(name)
    return values[0] if values else None
