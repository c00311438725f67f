"""A worker's own connection: what concerns all its slots."""

import contextlib
import os
import sys
import threading
from typing import Any, NoReturn

from flexconnect_worker import packet
from flexconnect_worker.packet import Head
from flexconnect_worker.worker import functions
from flexconnect_worker.worker.text import describe, dumps


class Post:
    """Takes the server's packets and does what they say, on the main thread until the functions are loaded."""

    def __init__(self, about: Head) -> None:
        self._about = about
        self._connection = packet.connect(about["socket"])
        self._functions: dict[str, Any] = {}
        self._slots = 0
        self._tasks: Any = None
        self._context: Any = None

    def run(self) -> NoReturn:
        """Serves until the server ends or says `stop`."""
        self._connection.send(
            packet.pack(
                {"op": "worker", "worker": self._about["worker"], "key": self._about["key"], "pid": os.getpid()}
            )
        )
        try:
            while True:
                text, body, descriptor = packet.receive(self._connection)
                head = packet.decode(text)
                if descriptor is not None:
                    body = packet.whole(descriptor, int(head["body"]))
                self._obey(head, body)
        except packet.Ended:
            self._end("")
        except BaseException as error:  # noqa: BLE001
            self._end(f"the worker broke: {type(error).__name__}: {describe(error)}")

    def _obey(self, head: Head, body: bytes) -> None:
        match head["op"]:
            case "load":
                self._load({**head, **packet.decode_fields(body)} if body else head)
            case "slots":
                self._add_slots(int(head["count"]))
            case "cancel":
                self._tasks.cancel(head["task"])
            case "drop":
                stream = self._tasks.forget_stream(int(head["stream"]))
                if stream is not None:
                    threading.Thread(target=stream.drop, name="flexconnect.drop", daemon=True).start()
            case "stop":
                self._end("")

    def _load(self, about: Head) -> None:
        try:
            functions.check()
            from flexconnect_worker.worker.running import Tasks  # noqa: PLC0415

            self._functions, self._context = functions.load(about, self._tell_health)
            self._tasks = Tasks()
            body = dumps(functions.listing(self._functions))
        except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit included
            self._give_up(error)
        packet.send_pieces(self._connection, {"op": "loaded"}, [body], len(body))

    def _add_slots(self, count: int) -> None:
        from flexconnect_worker.worker.slot import Slot  # noqa: PLC0415

        while self._slots < count:
            connection = packet.connect(self._about["socket"])
            connection.send(packet.pack({"op": "slot", "worker": self._about["worker"], "key": self._about["key"]}))
            self._slots += 1
            Slot(connection, self._functions, self._tasks, self._end).start(self._slots)

    def _tell_health(self, module: str, status: str) -> None:
        self._connection.send(packet.pack({"op": "health", "module": module, "status": status}))

    def _give_up(self, error: BaseException) -> NoReturn:
        head: Head = {"op": "unloadable", "message": describe(error), "advice": getattr(error, "advice", None)}
        if not isinstance(error, functions.Unloadable):
            from flexconnect_worker.worker.failure import trace  # noqa: PLC0415

            head["traceback"] = trace(error)
        self._connection.send(packet.pack(head))
        self._end("")

    def _end(self, message: str) -> NoReturn:
        if message:
            with contextlib.suppress(Exception):
                sys.stderr.write(f"{message}\n")
                sys.stderr.flush()
        os._exit(70 if message else 0)
