"""Cuts what a process writes into packets of whole lines, and counts what is left out."""

from collections.abc import Iterator

PACKET = 16_384
"""The most text in one packet."""
LONGEST = 8_192
"""A line that does not fit into a packet is cut to so many bytes."""


class Lines:
    """Keeps at most one packet of an unfinished line, whatever is written."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._skipping = False
        self._dropped = 0

    def leave_out(self, count: int) -> None:
        """Counts bytes that nobody will see."""
        self._dropped += count

    def feed(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Takes what was read; gives texts, each with the bytes left out before its end."""
        self._pending += data
        while self._pending:
            if self._skipping and not self._skip():
                return
            end = self._pending.rfind(b"\n", 0, PACKET) + 1
            if end:
                yield self._take(end)
            elif len(self._pending) < PACKET:
                return
            else:
                text, dropped = self._take(LONGEST)
                self._skipping = True
                self._skip()
                yield text + b"\n", dropped + self._forget()

    def finish(self) -> Iterator[tuple[bytes, int]]:
        """Gives what is left when nothing more will come."""
        if self._pending or self._dropped:
            yield self._take(len(self._pending))

    def _skip(self) -> bool:
        end = self._pending.find(b"\n") + 1
        self._skipping = not end
        self._dropped += end - 1 if end else len(self._pending)
        del self._pending[: end or len(self._pending)]
        return not self._skipping

    def _take(self, end: int) -> tuple[bytes, int]:
        text = bytes(self._pending[:end])
        del self._pending[:end]
        return _readable(text), self._forget()

    def _forget(self) -> int:
        dropped, self._dropped = self._dropped, 0
        return dropped


def _readable(text: bytes) -> bytes:
    # A question mark for each byte that is no UTF-8, so that the text does not grow.
    return text.decode("utf-8", "surrogateescape").encode("utf-8", "replace")
