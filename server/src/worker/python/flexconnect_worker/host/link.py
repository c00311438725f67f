"""The host's connection to the server, which neither side can make wait."""

import socket
from collections import deque

from flexconnect_worker import packet

_MOST_WAITING = 1 << 20


class Refused(Exception):  # noqa: N818
    """The server wants another host, or none: the text says why."""


class Link:
    """Sends packets when the server takes them, in order; output is refused while too much waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self._waiting: deque[bytes] = deque()
        self._bytes = 0

    @property
    def waits(self) -> bool:
        """Whether there is something that the server has not taken."""
        return bool(self._waiting)

    def send(self, head: packet.Head) -> None:
        """Sends what must arrive."""
        self._push(packet.pack(head))

    def offer(self, head: packet.Head, body: bytes) -> bool:
        """Sends what can be left out; false when there is no room."""
        if self._bytes > _MOST_WAITING:
            return False
        self._push(packet.pack(head, body))
        return True

    def flush(self) -> None:
        """Sends what the server takes now."""
        while self._waiting:
            try:
                self.connection.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError as error:
                raise packet.Ended from error
            self._bytes -= len(self._waiting.popleft())

    def receive(self) -> packet.Head | None:
        """The next packet, if one is there."""
        try:
            head, _, descriptor = packet.receive(self.connection)
        except BlockingIOError:
            return None
        except OSError as error:
            raise packet.Ended from error
        if descriptor is not None:
            packet.whole(descriptor, 0)
        return packet.decode(head)

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()

    def _push(self, data: bytes) -> None:
        self._waiting.append(data)
        self._bytes += len(data)
        if len(self._waiting) == 1:
            self.flush()
