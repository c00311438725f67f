"""A worker's own connection: what concerns all its slots."""

import gc
import importlib
import os
import queue
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from flexconnect_worker import packet
from flexconnect_worker.packet import Head
from flexconnect_worker.worker import functions, output
from flexconnect_worker.worker.ending import Ending
from flexconnect_worker.worker.journal import Journal
from flexconnect_worker.worker.metrics import Metrics
from flexconnect_worker.worker.running import Tasks
from flexconnect_worker.worker.text import describe, dumps, fitting, trace

if TYPE_CHECKING:
    from types import FrameType

    from flexconnect_worker.worker.verifier import Verifier

_GRACE = 5.0
_LAST_WORDS = 1.0
_LARGEST_HEAD = 60_000
# A thread that computes lets others run after so long; Python's own default of 5 ms is felt by every small call.
_TURN = 0.001


class Post:
    """Reads the server's packets on a thread; modules are loaded, and the end is made, on the main thread.

    So the end of the connection is noticed while a module loads, and code that wants the main thread (signal handlers)
    has it.
    """

    def __init__(self, about: Head) -> None:
        self._about = about
        self._ending = Ending()
        self._connection = self._ending.own(packet.connect(about["socket"]))
        self._journal = Journal(self._connection)
        output.install(self._journal)
        self._metrics = Metrics(self._give_metrics)
        self._functions: dict[str, Any] = {}
        self._service: Any = None
        self._verifier: Verifier | None = None
        self._tasks = Tasks()
        self._slots = 0
        self._orders: queue.SimpleQueue[Head] = queue.SimpleQueue()

    def run(self) -> NoReturn:
        """Serves until the server ends or says `stop`."""
        sys.setswitchinterval(_TURN)
        signal.signal(signal.SIGTERM, self._signalled)
        signal.signal(signal.SIGINT, self._signalled)
        self._ending.at_last(lambda: self._journal.finish(_LAST_WORDS))
        self._send({"op": "worker", "worker": self._about["worker"], "key": self._about["key"], "pid": os.getpid()})
        threading.Thread(target=self._read, name="flexconnect.post", daemon=True).start()
        while True:
            order = self._orders.get()
            if order["op"] == "stop":
                self._ending.in_order(order.get("time", _GRACE * 1000) / 1000)
            self._load(order)

    def _read(self) -> None:
        try:
            while True:
                text, inline, descriptor = packet.receive(self._connection)
                head = packet.decode(text)
                body = inline if descriptor is None else packet.whole(descriptor, int(head["body"]))
                self._obey(head, body)
        except packet.Ended:
            self._ending.at_once()
        except BaseException as error:  # noqa: BLE001
            self._ending.at_once(f"the worker cannot go on: {type(error).__name__}: {describe(error)}")

    def _obey(self, head: Head, body: bytes | bytearray) -> None:
        match head["op"]:
            case "load":
                self._orders.put({**head, **packet.decode_fields(body)} if body else head)
            case "stop":
                self._orders.put(head)
            case "slots":
                self._add_slots(int(head["count"]))
            case "cancel":
                self._tasks.cancel(str(head["task"]))
            case "drop":
                stream = self._tasks.forget_stream(int(head["stream"]))
                if stream is not None:
                    threading.Thread(target=stream.drop, name="flexconnect.drop", daemon=True).start()
            case "metrics":
                self._metrics.ask()

    def _load(self, about: Head) -> None:
        provider = about.get("provider") or functions.FLEXCONNECT
        try:
            functions.check(provider)
            context = functions.prepare(about, self._journal, self._tell_health)
            if about.get("verifier"):
                from flexconnect_worker.worker.verifier import Verifier  # noqa: PLC0415

                self._verifier = Verifier(context)
            if provider in (functions.FLEXCONNECT, functions.FLEXFUN):
                self._functions = functions.load(provider, about, context)
                # What calls need is there before the first of them, which would wait for it.
                importlib.import_module("flexconnect_worker.worker.slot")
            else:
                about["modules"] = [provider]
                self._serve(provider, context)
            listing = functions.listing(provider, self._functions, about)
            if about.get("follow"):
                from flexconnect_worker.worker import sources  # noqa: PLC0415

                listing["sources"] = sources.folders(list(sys.modules))
            body = dumps(listing)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything, SystemExit included
            modules = [*(about.get("modules") or []), *filter(None, [about.get("verifier")])]
            self._give_up(error, modules)
        # What modules made while they loaded stays as long as the process: no collection has to look at it.
        gc.collect()
        gc.freeze()
        self._ending.at_last(self._say_last_words)
        self._journal.flush()
        packet.send_pieces(self._connection, {"op": "loaded"}, [body], len(body))

    def _serve(self, provider: str, context: Any) -> None:
        from flexconnect_worker.worker import provider as providers  # noqa: PLC0415
        from flexconnect_worker.worker import service  # noqa: PLC0415

        methods = providers.make(provider, context)
        self._service = service.start(methods, self._about["socket"], self._about["key"])

    def _add_slots(self, count: int) -> None:
        from flexconnect_worker.worker.slot import Slot  # noqa: PLC0415

        while self._slots < count:
            connection = self._ending.own(packet.connect(self._about["socket"]))
            connection.send(packet.pack({"op": "slot", "worker": self._about["worker"], "key": self._about["key"]}))
            self._slots += 1
            slot = Slot(connection, self._functions, self._verifier, self._tasks, self._journal, self._ending)
            slot.start(self._slots)

    def _tell_health(self, module: str, status: str) -> None:
        self._send({"op": "health", "module": str(module)[:256], "status": str(status)})

    def _give_metrics(self, text: bytes) -> None:
        packet.send_pieces(self._connection, {"op": "metrics"}, [text], len(text))

    def _say_last_words(self) -> None:
        try:
            # What this worker counted stays in the server's sums.
            self._metrics.last(_LAST_WORDS)
        finally:
            self._journal.finish(_LAST_WORDS)

    def _give_up(self, error: BaseException, modules: list[str]) -> NoReturn:
        advice = functions.advice(error, modules)
        head: Head = {"op": "unloadable", "message": functions.words(error), "advice": advice, "traceback": None}
        if not isinstance(error, functions.Unloadable):
            head["traceback"] = trace(error)
        self._journal.flush()
        self._connection.send(packet.prefixed(fitting(head, _LARGEST_HEAD)))
        self._ending.in_order(_GRACE)

    def _send(self, head: Head) -> None:
        self._connection.send(packet.pack(head))

    def _signalled(self, number: int, _frame: "FrameType | None") -> None:
        self._ending.in_order(_GRACE, number)
