"""A function whose metadata JSON cannot tell."""

from typing import ClassVar

from plain import Tiny as _Tiny


class Strange(_Tiny):
    """Has an object in it."""

    Name = "Strange"
    Metadata: ClassVar = {"when": object, 1: "one"}
