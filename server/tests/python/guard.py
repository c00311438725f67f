"""A token verification strategy that can be made to break."""

import os
import threading

from gooddata_flight_server import TokenVerificationStrategy
from pyarrow import flight


class Guard(TokenVerificationStrategy):
    """Does what the token says."""

    def verify(self, call_info, token):
        """Accepts one token."""
        match token:
            case "good":
                return
            case "exit":
                os._exit(3)
            case "hang":
                threading.Event().wait()
        raise flight.FlightUnauthenticatedError("who are you?")
