"""Asks the strategy of a module whether a token is good."""

import contextvars
from collections.abc import Mapping
from typing import Any

from pyarrow import flight

from flexconnect_worker.packet import Head
from flexconnect_worker.worker import output
from flexconnect_worker.worker.failure import failure
from flexconnect_worker.worker.text import clip, describe, trace

_METHODS = {
    "Handshake": flight.FlightMethod.HANDSHAKE,
    "ListFlights": flight.FlightMethod.LIST_FLIGHTS,
    "GetFlightInfo": flight.FlightMethod.GET_FLIGHT_INFO,
    "GetSchema": flight.FlightMethod.GET_SCHEMA,
    "DoGet": flight.FlightMethod.DO_GET,
    "DoPut": flight.FlightMethod.DO_PUT,
    "DoAction": flight.FlightMethod.DO_ACTION,
    "ListActions": flight.FlightMethod.LIST_ACTIONS,
    "DoExchange": flight.FlightMethod.DO_EXCHANGE,
}
_LONGEST_NAME = 1_024


class Verifier:
    """The strategy that a module brings; made once, asked by many threads, as in the vendor's server."""

    def __init__(self, context: Any) -> None:
        from gooddata_flight_server.server.auth.token_verifier_factory import (  # noqa: PLC0415
            create_token_verification_strategy,
        )

        self._strategy = create_token_verification_strategy(context)

    def answer(self, head: Head) -> tuple[Head, bytes]:
        """The packet that answers a `verify`: who it is, or why the caller may not pass."""
        try:
            found = contextvars.copy_context().run(self._verify, head)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller is answered
            return _refusal(error)
        subject = found.get("sub") if isinstance(found, Mapping) else None
        return {"op": "verified", "subject": clip(subject, _LONGEST_NAME) if isinstance(subject, str) else None}, b""

    def _verify(self, head: Head) -> Any:
        method = _METHODS.get(head["method"], flight.FlightMethod.INVALID)
        try:
            return self._strategy.verify(call_info=flight.CallInfo(method), token=head["token"])
        finally:
            output.finish()


def _refusal(error: BaseException) -> tuple[Head, bytes]:
    if isinstance(error, flight.FlightError):
        head, carried = failure(error, "", cancelled=False)
        if not carried:
            head["message"] = describe(error)
        return {**head, "op": "refused", "traceback": None}, carried
    fault = "other"
    if isinstance(error, (ValueError, NotImplementedError)):
        fault = "value" if isinstance(error, ValueError) else "not-implemented"
    return {"op": "refused", "kind": "none", "fault": fault, "message": None, "traceback": trace(error)}, b""
