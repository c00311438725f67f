"""A function without a schema."""

from gooddata_flexconnect import FlexConnectFunction


class Shapeless(FlexConnectFunction):
    """Has none."""

    Name = "Shapeless"
