"""Invoices from a database, through SQLAlchemy."""

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pyarrow as pa
import sqlalchemy as sa
import structlog
from gooddata_flexconnect import FlexConnectFunction
from gooddata_flight_server import ArrowData, ServerContext

from sources import wanted

_LOGGER = structlog.get_logger(__name__)

_ROWS_PER_BATCH = 1000

INVOICES = sa.Table(
    "invoices",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("customer", sa.Text),
    sa.Column("issued", sa.Date),
    sa.Column("amount", sa.Numeric(12, 2)),
)


class Invoices(FlexConnectFunction):
    """The database selects; its rows are fetched while they are read."""

    Name = "Invoices"
    Schema = pa.schema(
        [
            ("id", pa.int64()),
            ("customer", pa.string()),
            ("issued", pa.date32()),
            ("amount", pa.decimal128(12, 2)),
        ]
    )

    _engine: ClassVar[sa.Engine]

    def __init__(self) -> None:
        """An object for one call."""
        self._lock = threading.Lock()
        self._cancelled = False
        self._connection: sa.Connection | None = None

    @staticmethod
    def on_load(ctx: ServerContext) -> None:
        """A pool of connections for each worker: the database must allow workers * (pool_size + max_overflow).

        The address has the password in it, so it comes from GOODDATA_FLIGHT_WAREHOUSE__URL.
        """
        deadline = int(ctx.settings.get("flexconnect.call_deadline_ms", 180_000))
        Invoices._engine = sa.create_engine(
            ctx.settings["warehouse.url"],
            pool_size=4,
            max_overflow=12,
            pool_pre_ping=True,
            hide_parameters=True,
            # Even if nobody cancels it, no statement outlives its call for long.
            connect_args={"options": f"-c statement_timeout={deadline}", "connect_timeout": 10},
        )

    def call(
        self, parameters: dict[str, Any], columns: tuple[str, ...] | None, headers: dict[str, list[str]]
    ) -> ArrowData:
        """A cursor on the side of the database holds the result."""
        schema = wanted.columns(self.Schema, columns)
        query = sa.select(*(INVOICES.c[name] for name in schema.names)).order_by(INVOICES.c.id)
        customers = wanted.values(parameters, "customer")
        if customers is not None:
            query = query.where(sa.or_(INVOICES.c.customer.in_(customers), *self._missing(customers)))
        connection = self._connect()
        try:
            rows = connection.execution_options(yield_per=_ROWS_PER_BATCH).execute(query)
        except BaseException:
            self._close(connection)
            raise
        return pa.RecordBatchReader.from_batches(schema, self._batches(connection, rows, schema))

    def cancel(self) -> bool:
        """Tells the database, through another connection, to end the statement."""
        with self._lock:
            self._cancelled = True
            if self._connection is not None:
                driver: Any = self._connection.connection.driver_connection
                driver.cancel_safe(timeout=5)
        return True

    def _batches(
        self, connection: sa.Connection, rows: sa.CursorResult[Any], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        try:
            for part in rows.partitions():
                columns = zip(*part, strict=True)
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                yield pa.record_batch(arrays, schema=schema)
        finally:
            # Also when the rows are not read to their end: the connection goes back to the pool.
            self._close(connection)
            _LOGGER.info("invoices-closed")

    def _connect(self) -> sa.Connection:
        connection = self._engine.connect()
        with self._lock:
            # A call can be cancelled before there is anything to cancel.
            if not self._cancelled:
                self._connection = connection
                return connection
        connection.close()
        raise RuntimeError("The call was cancelled.")

    def _close(self, connection: sa.Connection) -> None:
        with self._lock:
            self._connection = None
        connection.close()

    @staticmethod
    def _missing(customers: list[str | None]) -> list[sa.ColumnElement[bool]]:
        return [INVOICES.c.customer.is_(None)] if None in customers else []
