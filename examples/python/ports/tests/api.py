"""An API of orders: pages of JSON, for those who have the token."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "a token that nobody may see"  # noqa: S105
REGIONS = ("East", "West", "North", None)
_PER_PAGE = 50


class OrdersService:
    """Listens on a free port; `ORDERS` is what it knows. The region `endless` has no last page."""

    ORDERS = tuple({"id": n, "region": REGIONS[n % 4], "amount": n * 0.5} for n in range(1, 331))

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        # What the next requests are answered with, instead of orders.
        self.statuses: list[int] = []
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/orders"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, query: dict[str, list[str]], authorization: str | None) -> tuple[int, dict[str, Any]]:
        self.asked.append(query)
        if self.statuses:
            return self.statuses.pop(0), {}
        if authorization != f"Bearer {TOKEN}":
            return 401, {}
        page, regions = int(query["page"][0]), query.get("region")
        if regions == ["endless"]:
            return 200, {"orders": list(self.ORDERS[:_PER_PAGE]), "next": page + 1}
        found = [order for order in self.ORDERS if regions is None or order["region"] in regions]
        rest = found[page * _PER_PAGE :]
        return 200, {"orders": found[(page - 1) * _PER_PAGE :][:_PER_PAGE], "next": page + 1 if rest else None}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: OrdersService

    def do_GET(self) -> None:
        status, answer = self.service.answer(parse_qs(urlsplit(self.path).query), self.headers["Authorization"])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""
