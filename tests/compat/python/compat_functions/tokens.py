"""A token verification strategy that raises whatever a token asks for."""

from typing import Any

from gooddata_flight_server import ErrorInfo, ServerContext, TokenVerificationStrategy
from pyarrow import flight


class Listed(TokenVerificationStrategy):
    """Accepts the tokens that its own settings list."""

    def __init__(self, good: list[str]) -> None:
        self._good = good

    @classmethod
    def create(cls, ctx: ServerContext) -> TokenVerificationStrategy:
        """Reads the list."""
        return cls(list(ctx.settings.get("compat_tokens.good") or []))

    def verify(self, call_info: flight.CallInfo, token: str) -> Any:
        """Tells who it is, or raises."""
        match token:
            case "forbidden":
                method = "GetFlightInfo" if call_info.method == flight.FlightMethod.GET_FLIGHT_INFO else "others"
                raise flight.FlightUnauthorizedError(f"Not for {method}.")
            case "later":
                raise flight.FlightUnavailableError("The directory is down.")
            case "slow":
                raise flight.FlightTimedOutError("The directory is slow.")
            case "internal":
                raise flight.FlightInternalError("The directory is broken.")
            case "described":
                info = ErrorInfo.for_reason(1_500, "Expired.").with_detail("by a day").with_body(b"\x00renew")
                raise info.to_unauthenticated_error()
            case "value":
                raise ValueError("hush")
            case "todo":
                raise NotImplementedError("hush")
            case "runtime":
                raise RuntimeError("hush")
        if token not in self._good:
            raise flight.FlightUnauthenticatedError("There is no such token.")
        return {"sub": token}
