"""Two functions of one name."""

from plain import Tiny


class Again(Tiny):
    """Has the name of another."""
