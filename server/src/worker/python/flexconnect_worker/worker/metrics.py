"""The metrics that modules define with `prometheus_client`."""

import logging
import threading
from collections.abc import Callable


class Metrics:
    """Collects on a thread of its own, one at a time: collectors are user code and may block."""

    def __init__(self, give: Callable[[bytes], None]) -> None:
        self._give = give
        self._busy = threading.Lock()
        self._failed = False
        self._over = False

    def ask(self) -> None:
        """Collects and gives, unless that is going on."""
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._collect, name="flexconnect.metrics", daemon=True).start()

    def last(self, seconds: float) -> None:
        """Collects and gives before this process ends, once; waits no longer than that for what is being collected."""
        if not self._over and self._busy.acquire(timeout=seconds):
            self._over = True
            self._collect()

    def _collect(self) -> None:
        try:
            self._give(self._text())
        finally:
            self._busy.release()

    def _text(self) -> bytes:
        try:
            from prometheus_client import generate_latest  # noqa: PLC0415
        except Exception:  # noqa: BLE001 - what is broken there is none of a function's business
            return b""
        try:
            return generate_latest()
        except Exception:
            if not self._failed:
                self._failed = True
                logging.getLogger("prometheus_client").exception("the metrics of this worker cannot be collected")
            return b""
