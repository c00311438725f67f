"""Packets as they travel: a head in JSON, a body, at most one descriptor."""

import array
import contextlib
import fcntl
import json
import os
import socket
import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

LIMIT = 65_536
INLINE = 32_768

Head: TypeAlias = dict[str, Any]

_LENGTH = struct.Struct("<I")
_DESCRIPTORS = socket.CMSG_SPACE(4 * array.array("i").itemsize)
_CUT = socket.MSG_TRUNC | socket.MSG_CTRUNC
_F_ADD_SEALS = 1033
_SEAL_SHRINK_GROW_WRITE_SEAL = 0x2 | 0x4 | 0x8 | 0x1
_MOST_VECTORS = 1024


class Ended(Exception):  # noqa: N818 - the normal end of a connection
    """The other side closed the connection."""


class Malformed(Exception):  # noqa: N818
    """The other side broke the protocol; the text says how."""


def encode(head: Head) -> bytes:
    """The JSON of a head; what JSON has no notation for becomes text."""
    return json.dumps(head, separators=(",", ":"), default=str).encode()


def prefixed(head: bytes) -> bytes:
    """A head as it stands in a packet, with its length before it."""
    return _LENGTH.pack(len(head)) + head


def pack(head: Head, body: bytes = b"") -> bytes:
    """A whole packet without a descriptor; the caller keeps it within `LIMIT`."""
    return prefixed(encode(head)) + body


def decode(text: bytes | bytearray) -> Head:
    """The head that a JSON text is."""
    try:
        head = json.loads(text)
    except ValueError as error:
        raise Malformed("a head is no JSON") from error
    if not isinstance(head, dict) or not isinstance(head.get("op"), str):
        raise Malformed("a head is no object with an op")
    return head


def decode_fields(text: bytes | bytearray) -> Head:
    """Fields of a head that are sent as a body."""
    try:
        fields = json.loads(text)
    except ValueError as error:
        raise Malformed("a body is no JSON") from error
    if not isinstance(fields, dict):
        raise Malformed("a body is no object")
    return fields


def connect(path: str) -> socket.socket:
    """A connection to the server, closed in programs that this process starts."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def receive(connection: socket.socket) -> tuple[bytearray, bytearray, int | None]:
    """Waits for a packet: the head's JSON, the body, and a descriptor that the caller closes."""
    return receive_into(bytearray(LIMIT), connection)


def receive_into(buffer: bytearray, connection: socket.socket) -> tuple[bytearray, bytearray, int | None]:
    """As `receive`, with a buffer of `LIMIT` bytes that is used again and again."""
    count, ancillary, flags, _ = connection.recvmsg_into((buffer,), _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not count:
        raise Ended
    descriptors = _descriptors(ancillary) if ancillary else []
    # A connection does not outlive what is malformed, nor do its descriptors: the process ends.
    if flags & _CUT or len(descriptors) > 1:
        raise Malformed("a packet is too long or has more than one descriptor")
    if count < _LENGTH.size:
        raise Malformed(f"a packet of {count} bytes has no length of its head")
    end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
    if end > count:
        raise Malformed(f"a head of {end - _LENGTH.size} bytes in a packet of {count}")
    return buffer[_LENGTH.size : end], buffer[end:count], descriptors[0] if descriptors else None


def send_descriptor(connection: socket.socket, head: Head, descriptor: int) -> None:
    """Sends a packet whose body is what a descriptor stands for, and closes that."""
    with contextlib.closing(_Owned(descriptor)):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        connection.sendmsg([pack(head)], rights)


def send_pieces(connection: socket.socket, head: Head, pieces: Sequence[Any], size: int) -> None:
    """Sends a packet whose body is made of buffers, in a memfd when it is large."""
    if size <= INLINE:
        connection.sendmsg([prefixed(encode(head)), *pieces] if len(pieces) < 1000 else [pack(head, b"".join(pieces))])
        return
    send_descriptor(connection, {**head, "body": size}, sealed(pieces, size))


def fill(descriptor: int, pieces: Sequence[Any], size: int) -> None:
    """Writes the buffers one after the other into a file, and closes that."""
    with contextlib.closing(_Owned(descriptor)):
        _write(descriptor, pieces, size)


def sealed(pieces: Sequence[Any], size: int) -> int:
    """A memfd that holds the buffers one after the other and never changes again."""
    descriptor = os.memfd_create("flexconnect", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        _write(descriptor, pieces, size)
        fcntl.fcntl(descriptor, _F_ADD_SEALS, _SEAL_SHRINK_GROW_WRITE_SEAL)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def whole(descriptor: int, size: int) -> bytes:
    """The `size` bytes behind a descriptor, which is closed."""
    with contextlib.closing(_Owned(descriptor)):
        parts = []
        at = 0
        while at < size:
            part = os.pread(descriptor, min(size - at, 1 << 24), at)
            if not part:
                raise Malformed(f"a body of {at} bytes that was announced with {size}")
            parts.append(part)
            at += len(part)
        return b"".join(parts)


def _write(descriptor: int, pieces: Sequence[Any], size: int) -> None:
    # Writing from the buffers is the fastest way into a memfd: a mapping has its pages zeroed and faulted in first.
    written = 0
    for first in range(0, len(pieces), _MOST_VECTORS):
        rest = [memoryview(piece).cast("B") for piece in pieces[first : first + _MOST_VECTORS]]
        while rest:
            count = os.writev(descriptor, rest)
            written += count
            while rest and count >= len(rest[0]):
                count -= len(rest.pop(0))
            if rest:
                rest[0] = rest[0][count:]
    if written != size:
        raise ValueError(f"{written} bytes written of {size}")


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


class _Owned:
    """A descriptor that `contextlib.closing` can close."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def close(self) -> None:
        """Closes it."""
        os.close(self._descriptor)
