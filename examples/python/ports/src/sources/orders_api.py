"""Orders from an HTTP API that hands them out page by page."""

import threading
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar

import pyarrow as pa
import requests
import structlog
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ErrorCode, ErrorInfo, ServerContext
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from sources import wanted

_LOGGER = structlog.get_logger(__name__)

# To connect, and for each piece of an answer: a service that hangs must not hold a thread until the call's deadline.
_TIMEOUT_SECONDS = (3.05, 20.0)


class Orders(FlexConnectFunction):
    """A batch for each page, which is fetched when it will be read."""

    Name = "Orders"
    Schema = pa.schema([("id", pa.int64()), ("region", pa.string()), ("amount", pa.float64())])

    _session: ClassVar[requests.Session]
    _url: ClassVar[str]

    def __init__(self) -> None:
        """An object for one call."""
        self._cancelled = threading.Event()

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """Connections are kept between calls; what is secret comes from the environment."""
        session = requests.Session()
        session.headers["Authorization"] = f"Bearer {ctx.settings['orders.token']}"
        # Calls share the session: nothing may change it after this.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        again = Retry(total=3, backoff_factor=0.1, status_forcelist=[502, 503, 504], raise_on_status=False)
        adapter = HTTPAdapter(pool_maxsize=32, max_retries=again)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        Orders._session, Orders._url = session, ctx.settings["orders.url"]

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """The first page is fetched here, so that what is wrong with the service is an error of the call."""
        regions = wanted.values(parameters, "region")
        schema = wanted.columns(self.Schema, columns)
        first = self._page(1, regions)
        return pa.RecordBatchReader.from_batches(schema, self._batches(first, regions, schema))

    def cancel(self) -> bool:
        """Called on another thread, when nobody waits for the call any more."""
        self._cancelled.set()
        return True

    def _batches(
        self, page: dict[str, Any], regions: list[str | None] | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        pages = 1
        try:
            while True:
                yield pa.RecordBatch.from_pylist(page["orders"], schema)
                if not page["next"] or self._cancelled.is_set():
                    return
                page = self._page(page["next"], regions)
                pages += 1
        finally:
            # Also when the rows are not read to their end.
            _LOGGER.info("orders-read", pages=pages)

    def _page(self, number: int, regions: list[str | None] | None) -> dict[str, Any]:
        query: dict[str, Any] = {"page": number}
        if regions is not None:
            query["region"] = [region for region in regions if region is not None]
        try:
            answer = self._session.get(self._url, params=query, timeout=_TIMEOUT_SECONDS)
            if answer.ok:
                page: dict[str, Any] = answer.json()
                return page
            problem = f"answered with status {answer.status_code}"
        except requests.RequestException as error:
            _LOGGER.warning("orders-not-read", exc_info=error)
            problem = "could not be reached"
        # The caller is told what happened, and not where: the text of the exception has the address in it.
        raise ErrorInfo.for_reason(ErrorCode.COMMAND_FAILED, f"The service of orders {problem}.").to_server_error()
