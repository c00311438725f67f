"""JSON and text in bounds: what user code makes may be of any size and hold anything."""

import json
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment, unused-ignore]

MESSAGE = 4_096
"""The most characters of a message."""


def clip(text: str, most: int = MESSAGE) -> str:
    """The beginning of a text, as valid UTF-8, and a note when something is missing."""
    if len(text) > most:
        text = f"{text[:most]} [{len(text) - most} more characters]"
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def loads(data: bytes) -> Any:
    """What a JSON text stands for, as the vendor's server reads it."""
    return orjson.loads(data) if orjson is not None else json.loads(data)


def dumps(value: Any) -> bytes:
    """The JSON of a value; what JSON has no notation for becomes clipped text."""
    if orjson is not None:
        try:
            return orjson.dumps(value, default=_text, option=orjson.OPT_NON_STR_KEYS)
        except (TypeError, ValueError, RecursionError):
            pass
    try:
        return json.dumps(value, separators=(",", ":"), default=_text, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_text(value)).encode()


def describe(value: object) -> str:
    """`str(value)` in bounds, whatever its author made of it."""
    try:
        return clip(str(value))
    except BaseException as error:  # noqa: BLE001 - a text that cannot be had must not become another failure
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def _text(value: object) -> str:
    return describe(value)
