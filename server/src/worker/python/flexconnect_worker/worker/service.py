"""Serves a module's own Flight RPC methods to the server, which relays calls to a socket beside its own."""

import contextvars
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gooddata_flight_server.server.flight_rpc.server_methods import FlightServerMethods
from pyarrow import flight

from flexconnect_worker.worker import asked, output, tracing

_SOCKET = "methods"
_LOGGER = logging.getLogger("gooddata_flight_server.rpc")


class Service(flight.FlightServerBase):  # type: ignore[misc]
    """pyarrow's server, with the methods of the module; it serves as soon as it is made."""

    def __init__(self, methods: FlightServerMethods, location: str, key: str) -> None:
        self._methods = methods
        super().__init__(location, middleware=asked.middleware(key))

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """See pyarrow."""
        call = _Call("ListFlights", context)
        return call.each(call.run(self._methods.list_flights, criteria))

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """See pyarrow."""
        return _Call("GetFlightInfo", context).run(self._methods.get_flight_info, descriptor)

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """See pyarrow."""
        return _Call("GetSchema", context).run(self._methods.get_schema, descriptor)

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """See pyarrow."""
        return _Call("DoGet", context).run(self._methods.do_get, ticket)

    def do_put(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor, reader: Any, writer: Any
    ) -> None:
        """See pyarrow."""
        _Call("DoPut", context).run(self._methods.do_put, descriptor, reader, writer)

    def do_exchange(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor, reader: Any, writer: Any
    ) -> None:
        """See pyarrow."""
        _Call("DoExchange", context).run(self._methods.do_exchange, descriptor, reader, writer)

    def list_actions(self, context: flight.ServerCallContext) -> Any:
        """See pyarrow."""
        return _Call("ListActions", context).run(self._methods.list_actions)

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[Any]:
        """See pyarrow."""
        call = _Call("DoAction", context)
        return call.each(call.run(self._methods.do_action, action))


def start(methods: FlightServerMethods, server: str, key: str) -> Service:
    """Serves the methods beside the socket of the server, to who shows the key."""
    socket = Path(server).with_name(_SOCKET)
    service = Service(methods, f"grpc+unix://{socket}", key)
    # The server may be another user of the same group; the folder keeps all others out.
    socket.chmod(0o770)
    return service


class _Call:
    """One call: what runs for it runs in a context of its own, within the server's span of the call."""

    def __init__(self, name: str, context: flight.ServerCallContext) -> None:
        self._name = name
        self._call = asked.Call(context)
        self._context = contextvars.copy_context()
        trace = asked.caller(context).trace
        if trace["traceparent"]:
            self._context.run(tracing.enter, trace)

    def run(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """What the method returns."""
        return self._told(lambda: method(self._call, *arguments))

    def each(self, answers: Any) -> Iterator[Any]:
        """What a generator gives, which is the method's code as well."""
        end = object()
        answers = self._told(lambda: iter(answers))
        while (answer := self._told(lambda: next(answers, end))) is not end:
            yield answer

    def _told(self, step: Callable[[], Any]) -> Any:
        try:
            return self._context.run(step)
        except flight.FlightError:
            raise
        except NotImplementedError as error:
            raise NotImplementedError(str(error) or f"{self._name} is not implemented.") from None
        except Exception:
            # Clients are told the message only.
            _LOGGER.exception("flight_method_failed", extra={"method": self._name})
            raise
        finally:
            output.finish()
