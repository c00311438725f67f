"""JSON and text in bounds: what user code makes may be of any size and hold anything."""

import json
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment, unused-ignore]

MESSAGE = 4_096
"""The most characters of a message."""
_FRAMES = 40
_CAUSES = 5
_OURS = str(Path(__file__).parent.parent)


def clip(text: str, most: int = MESSAGE) -> str:
    """The beginning of a text, as valid UTF-8, and a note when something is missing."""
    if len(text) > most:
        text = f"{text[:most]} [{len(text) - most} more characters]"
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def loads(data: bytes | bytearray) -> Any:
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


def fitting(head: dict[str, Any], most: int) -> bytes:
    """The JSON of a head, its longest texts cut until it is small enough: in JSON a character may be six."""
    text = dumps(head)
    while len(text) > most:
        name = max(head, key=lambda name: len(head[name]) if isinstance(head[name], str) else 0)
        head = {**head, name: clip(head[name], len(head[name]) // 4)}
        text = dumps(head)
    return text


def describe(value: object) -> str:
    """`str(value)` in bounds, whatever its author made of it."""
    try:
        return clip(str(value))
    except BaseException as error:  # noqa: BLE001 - a text that cannot be had must not become another failure
        return f"<{type(value).__name__} without a text: {type(error).__name__}>"


def trace(error: BaseException) -> str:
    """The traceback of an error and its causes, without this package's own frames; in bounds, whatever the error is."""
    parts: list[str] = []
    seen: BaseException | None = error
    for _ in range(_CAUSES):
        if seen is None:
            break
        frames = traceback.StackSummary.extract(traceback.walk_tb(_theirs(seen.__traceback__)), limit=-_FRAMES)
        text = clip("".join(frames.format()), 16_384)
        parts.append(f"Traceback (most recent call last):\n{text}{type(seen).__name__}: {describe(seen)}\n")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return clip("\nwhile handling\n\n".join(reversed(parts)), 24_576)


def _text(value: object) -> str:
    return describe(value)


def _theirs(where: TracebackType | None) -> TracebackType | None:
    while where is not None and where.tb_frame.f_code.co_filename.startswith(_OURS):
        where = where.tb_next
    return where
