"""A strategy that does with a call what its token says."""

from gooddata_flight_server import ErrorInfo, TokenVerificationStrategy
from pyarrow import flight


class Strategy(TokenVerificationStrategy):
    """Remembers what it was made with."""

    def __init__(self, secret):
        self._secret = secret

    @classmethod
    def create(cls, ctx):
        """Reads its own settings."""
        return cls(ctx.settings.get("verifying.secret"))

    def verify(self, call_info, token):
        """Accepts its secret, for all but DoPut."""
        match token:
            case "described":
                raise ErrorInfo.for_reason(1500, "not now").with_detail("d").with_body(b"b").to_unavailable_error()
            case "value":
                raise ValueError("secret of the inside")
            case "todo":
                raise NotImplementedError
            case "exit":
                raise SystemExit(3)
        print("verifies")
        if token != self._secret:
            raise flight.FlightUnauthenticatedError("who are you?")
        if call_info.method == flight.FlightMethod.DO_PUT:
            raise flight.FlightUnauthorizedError("not that")
        return {"sub": "ann", "more": object()}
