"""A module with two sets of methods."""

import gooddata_flight_server as gf
from warehouse import warehouse

again = warehouse


@gf.flight_server_methods
def other(ctx):
    """Never called."""
