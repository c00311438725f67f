"""The metrics that modules define with `prometheus_client`."""

import threading
from collections.abc import Callable


class Metrics:
    """Collects on a thread of its own, one at a time: collectors are user code and may block."""

    def __init__(self, give: Callable[[bytes], None]) -> None:
        self._give = give
        self._busy = threading.Lock()

    def ask(self) -> None:
        """Collects and gives, unless that is going on."""
        if self._busy.acquire(blocking=False):
            threading.Thread(target=self._collect, name="flexconnect.metrics", daemon=True).start()

    def _collect(self) -> None:
        try:
            self._give(_text())
        finally:
            self._busy.release()


def _text() -> bytes:
    try:
        from prometheus_client import generate_latest  # noqa: PLC0415

        return generate_latest()
    except Exception:  # noqa: BLE001 - no package, or a collector of user code that fails
        return b""
