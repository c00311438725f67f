"""A service with Flight RPC methods of its own."""

import gooddata_flight_server as gf
import pyarrow as pa
from pyarrow import flight

_N = pa.schema([("n", pa.int64())])


class Warehouse(gf.FlightServerMethods):
    """Methods that tell what they see of a call."""

    def do_get(self, context, ticket):
        """As many rows as the ticket says."""
        print("asked for", ticket.ticket.decode())
        return flight.RecordBatchStream(pa.table({"n": range(int(ticket.ticket))}, schema=_N))

    def do_action(self, context, action):
        """Who calls, or an error."""
        if action.type == "raise":
            raise KeyError("no such shelf")
        token = context.get_middleware(gf.TokenAuthMiddleware.MiddlewareName)
        yield context.peer().encode()
        yield context.peer_identity()
        yield str(token and token.token_data).encode()
        yield repr(sorted(self.call_info_middleware(context).headers)).encode()


@gf.flight_server_methods
def warehouse(ctx):
    """The methods."""
    ctx.health.set_module_status("warehouse", gf.ModuleHealthStatus.OK)
    return Warehouse()
