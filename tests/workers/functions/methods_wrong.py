"""A module whose function is marked and takes nothing."""

import gooddata_flight_server as gf


@gf.flight_server_methods
def wrong():
    """Never called."""
