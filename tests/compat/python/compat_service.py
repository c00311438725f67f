"""A service with Flight RPC methods of its own: all of them, and tasks."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import gooddata_flight_server as gf
import orjson
import pyarrow as pa
from compat_functions.stage import Stage
from pyarrow import flight

_N = pa.schema([("n", pa.int64())], metadata={"of": "the service"})
_PATIENCE = 60.0


class Numbers(gf.Task):
    """Makes so many rows, or fails, or waits to be cancelled."""

    def __init__(self, wanted: dict[str, Any], cmd: bytes) -> None:
        super().__init__(cmd)
        self._wanted = wanted

    def run(self) -> gf.TaskResult | gf.TaskError:
        """See the vendor."""
        if self._wanted.get("fails"):
            raise gf.ErrorInfo.for_reason(1500, self._wanted["fails"]).to_server_error()
        if self._wanted.get("wait"):
            Stage.note(self._wanted["wait"], "runs")
            Stage.wait_for(self._wanted["wait"], _PATIENCE)
            self.check_cancelled()
        return gf.FlightDataTaskResult.for_data(_numbers(self._wanted["rows"]))

    def on_task_cancel(self) -> None:
        """Lets go who waits."""
        if Stage.folder is not None and self._wanted.get("wait"):
            (Stage.folder / self._wanted["wait"]).touch()


class Service(gf.FlightServerMethods):
    """Every method there is."""

    def __init__(self, ctx: gf.ServerContext) -> None:
        self._ctx = ctx

    def list_flights(self, context: flight.ServerCallContext, criteria: bytes) -> Iterator[flight.FlightInfo]:
        """Two flights, or an error after the first."""
        yield self._info(flight.FlightDescriptor.for_path("first", criteria), [])
        if criteria == b"break":
            raise gf.ErrorInfo.bad_argument("no second flight")
        yield self._info(flight.FlightDescriptor.for_command(criteria), [])

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Runs a task and says where its result is."""
        wanted = json.loads(descriptor.command)
        task = Numbers(wanted, descriptor.command)
        self._ctx.task_executor.submit(task)
        if "wait" in wanted:
            Stage.note(wanted["wait"], f"task={task.task_id}")
        result = self._ctx.task_executor.wait_for_result(task.task_id, _PATIENCE)
        assert result is not None
        if result.error is not None:
            raise result.error.as_flight_error()
        if result.cancelled:
            raise gf.ErrorInfo.for_reason(gf.ErrorCode.COMMAND_CANCELLED, "It was cancelled.").to_server_error()
        ticket = flight.Ticket(orjson.dumps({"task_id": task.task_id}))
        return self._info(descriptor, [flight.FlightEndpoint(ticket, [self._ctx.location])])

    def get_schema(self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """Always the same."""
        return flight.SchemaResult(_N)

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The result of a task, or a stream made while it is read."""
        wanted = orjson.loads(ticket.ticket)
        if "task_id" in wanted:
            return self.do_get_task_result(context, self._ctx.task_executor, wanted["task_id"])
        finalizer = self.call_finalizer_middleware(context)
        finalizer.register_on_end(lambda _: Stage.note(wanted["key"], "over"))
        return flight.GeneratorStream(_N, _batches(wanted))

    def do_put(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Says of each batch how long it is."""
        for chunk in reader:
            if chunk.data.num_rows == 0:
                raise gf.ErrorInfo.bad_argument(f"an empty batch for {descriptor.command.decode()}")
            writer.write(pa.py_buffer(str(chunk.data.num_rows).encode()))

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Sends each batch back, once more."""
        writer.begin(reader.schema)
        for chunk in reader:
            writer.write_with_metadata(chunk.data, chunk.app_metadata)
            writer.write_batch(chunk.data)

    def list_actions(self, context: flight.ServerCallContext) -> list[tuple[str, str]]:
        """What the next method does."""
        return [(name, f"does {name}") for name in sorted(_ACTIONS)]

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[flight.Result]:
        """Does something that has a name."""
        for answer in _ACTIONS[action.type](self, context, action.body.to_pybytes()):
            yield flight.Result(pa.py_buffer(answer))

    def _info(self, descriptor: flight.FlightDescriptor, endpoints: list[flight.FlightEndpoint]) -> flight.FlightInfo:
        return flight.FlightInfo(_N, descriptor, endpoints, -1, -1)

    def echo(self, _: flight.ServerCallContext, body: bytes) -> Iterator[bytes]:
        """The body, twice."""
        yield body
        yield body

    def caller(self, context: flight.ServerCallContext, _: bytes) -> Iterator[bytes]:
        """What is known of the caller."""
        headers = self.call_info_middleware(context).headers
        token = context.get_middleware(gf.TokenAuthMiddleware.MiddlewareName)
        known = {name: values for name, values in headers.items() if name.startswith("x-")}
        yield orjson.dumps([context.peer().split(":")[0], known, None if token is None else token.token_data])

    def cancel(self, _: flight.ServerCallContext, body: bytes) -> Iterator[bytes]:
        """Cancels a task."""
        yield str(self._ctx.task_executor.cancel(body.decode())).encode()

    def until_cancelled(self, context: flight.ServerCallContext, body: bytes) -> Iterator[bytes]:
        """Goes on until nobody waits any more."""
        Stage.note(body.decode(), "runs")
        deadline = time.monotonic() + _PATIENCE
        while not context.is_cancelled() and time.monotonic() < deadline:
            time.sleep(0.02)
        Stage.note(body.decode(), "cancelled" if context.is_cancelled() else "never cancelled")
        yield b""

    def raises(self, _: flight.ServerCallContext, body: bytes) -> Iterator[bytes]:
        """An error of the kind that is asked for."""
        info = gf.ErrorInfo.for_reason(gf.ErrorCode.TIMEOUT, "as it was asked for").with_detail("and why")
        errors: dict[bytes, Callable[[], Exception]] = {
            b"server": info.to_server_error,
            b"internal": info.to_internal_error,
            b"unavailable": info.to_unavailable_error,
            b"timed-out": info.to_timeout_error,
            b"cancelled": info.to_cancelled_error,
            b"unauthenticated": lambda: flight.FlightUnauthenticatedError("who?"),
            b"unauthorized": lambda: flight.FlightUnauthorizedError("not you"),
            b"value": lambda: ValueError("a wrong value"),
            b"key": lambda: KeyError("a missing key"),
            b"not-implemented": lambda: NotImplementedError("not yet"),
            b"long": lambda: ValueError("long " * 10_000),
        }
        raise errors[body]()  # noqa: RSE102 - it is made here
        yield b""


def _numbers(count: int) -> pa.Table:
    return pa.table({"n": pa.array(range(count), pa.int64())}, schema=_N)


def _batches(wanted: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    for number in range(wanted["batches"]):
        if number == wanted.get("break_at"):
            raise gf.ErrorInfo.bad_argument(f"no batch {number}")
        yield pa.record_batch([pa.array([number] * wanted.get("rows", 1), pa.int64())], schema=_N)


_ACTIONS: dict[str, Callable[[Service, flight.ServerCallContext, bytes], Iterator[bytes]]] = {
    "caller": Service.caller,
    "cancel": Service.cancel,
    "echo": Service.echo,
    "raises": Service.raises,
    "until-cancelled": Service.until_cancelled,
}


@gf.flight_server_methods
def service(ctx: gf.ServerContext) -> gf.FlightServerMethods:
    """The methods, once they know the stage."""
    Stage.load(ctx)
    return Service(ctx)
