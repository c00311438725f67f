"""A module that makes no methods, or fails to."""

import gooddata_flight_server as gf


@gf.flight_server_methods
def nothing(ctx):
    """What is configured."""
    if ctx.settings.get("nothing.raises"):
        raise RuntimeError("no warehouse")
    return {}
