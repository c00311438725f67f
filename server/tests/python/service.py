"""A service with Flight RPC methods of its own, that the tests of the server call."""

import os
import time

import gooddata_flight_server as gf
import pyarrow as pa
from pyarrow import flight

_N = pa.schema([("n", pa.int64())])


class Service(gf.FlightServerMethods):
    """Little, and long."""

    def do_get(self, context, ticket):
        """Rows without an end."""

        def batches():
            while True:
                yield pa.record_batch([pa.array(range(10_000), pa.int64())], schema=_N)

        return flight.GeneratorStream(_N, batches())

    def do_action(self, context, action):
        """The process, or an answer that takes half a minute."""
        yield str(os.getpid()).encode()
        if action.type == "sleep":
            time.sleep(30)


@gf.flight_server_methods
def service(ctx):
    """The methods."""
    return Service()
