"""Packets, written down once more, so that a mistake in the worker's own code cannot hide."""

import array
import fcntl
import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

LIMIT = 65_536
INLINE = 32_768
_F_GET_SEALS = 1034
_ALL_SEALS = 0xF


@dataclass(frozen=True)
class Packet:
    """A head, a body, and whether the body came as a memfd."""

    head: dict[str, Any]
    body: bytes
    handed_over: bool = False

    @property
    def op(self) -> str:
        """What the packet is."""
        return self.head["op"]

    def table(self) -> pa.Table:
        """The table whose IPC stream the body is."""
        assert self.op == "table", self
        with pa.ipc.open_stream(pa.py_buffer(self.body)) as reader:
            return reader.read_all()


class Wire:
    """A connection whose packets are checked as the server has to check them."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        connection.settimeout(30)

    def send(self, op: str, body: bytes = b"", **fields: Any) -> None:
        """Sends a packet; a large body goes into a memfd."""
        head = {"op": op, **fields}
        if len(body) <= INLINE:
            self.socket.send(_packet(head) + body)
            return
        descriptor = os.memfd_create("server", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(descriptor, body)
            fcntl.fcntl(descriptor, 1033, _ALL_SEALS)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            self.socket.sendmsg([_packet(head | {"body": len(body)})], rights)
        finally:
            os.close(descriptor)

    def raw(self, data: bytes) -> None:
        """Sends bytes as they are."""
        self.socket.send(data)

    def receive(self) -> Packet | None:
        """The next packet; none at the end of the connection."""
        data, ancillary, flags, _ = self.socket.recvmsg(LIMIT + 1, socket.CMSG_SPACE(64), socket.MSG_CMSG_CLOEXEC)
        if not data:
            return None
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        assert len(data) <= LIMIT
        end = 4 + struct.unpack_from("<I", data)[0]
        head, body = json.loads(data[4:end]), data[end:]
        descriptors = array.array("i")
        for _, _, rights in ancillary:
            descriptors.frombytes(rights)
        if not descriptors:
            assert len(body) <= INLINE
            return Packet(head, body)
        assert len(descriptors) == 1
        assert not body
        return Packet(head, _mapped(descriptors[0], head["body"]), handed_over=True)

    def close(self) -> None:
        """Closes the connection."""
        self.socket.close()


def _packet(head: dict[str, Any]) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text


def _mapped(descriptor: int, size: int) -> bytes:
    try:
        assert fcntl.fcntl(descriptor, _F_GET_SEALS) == _ALL_SEALS
        assert os.fstat(descriptor).st_size == size
        return b"".join(os.pread(descriptor, 1 << 24, at) for at in range(0, size, 1 << 24))
    finally:
        os.close(descriptor)
