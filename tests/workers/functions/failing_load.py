"""A function that cannot be loaded."""

from typing import Any

from plain import Tiny


class Failing(Tiny):
    """Fails in on_load."""

    Name = "Failing"

    @staticmethod
    def on_load(ctx: Any) -> None:  # noqa: ARG004
        """Fails."""
        raise KeyError("api_key")
