"""Invoices from a database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyarrow import flight

from contexts import one_of, report
from postgres import Postgres
from servers import Server
from waiting import wait_until


def expected(number: int) -> dict[str, Any]:
    """A row as the table has it."""
    return {
        "id": number,
        "customer": f"customer {number % 4}" if number % 4 else None,
        "issued": date(2026, 1, 1) + timedelta(days=number % 365),
        "amount": Decimal(number * 125) / 100,
    }


def busy(database: Postgres, condition: str) -> int:
    """Connections of others in this state."""
    query = f"SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}"  # noqa: S608
    return int(database.run(query)[0][0])


def test_all_rows_are_read(server: Server) -> None:
    assert server.call("Invoices").to_pylist() == [expected(number) for number in range(1, 20001)]


def test_the_database_selects(server: Server) -> None:
    context = report(one_of("Invoices.customer", "customer 3", None))
    found = server.call("Invoices", ["id"], executionContext=context)
    assert found.column_names == ["id"]
    assert found["id"].to_pylist() == [number for number in range(1, 20001) if number % 4 in (0, 3)]


def test_values_are_no_sql(server: Server) -> None:
    context = report(one_of("Invoices.customer", "x'; DROP TABLE invoices; --"))
    assert server.call("Invoices", executionContext=context).num_rows == 0


def test_a_reader_that_goes_away_gives_the_connection_back(server: Server, database: Postgres) -> None:
    stream = server.stream("Invoices")
    assert stream.read_chunk().data.num_rows == 1000
    stream.cancel()
    wait_until("nobody reads", lambda: busy(database, "state = 'idle in transaction'") == 0)


def test_a_call_that_is_given_up_ends_its_statement(server: Server, database: Postgres) -> None:
    with database.connect() as connection, connection.transaction(), ThreadPoolExecutor() as pool:
        connection.execute("LOCK TABLE invoices IN ACCESS EXCLUSIVE MODE")
        call = pool.submit(server.call, "Invoices", timeout=4.0)
        wait_until("the statement waits", lambda: busy(database, "wait_event_type = 'Lock'") == 1)
        with pytest.raises(flight.FlightTimedOutError):
            call.result()
        wait_until("the statement is cancelled", lambda: busy(database, "wait_event_type = 'Lock'") == 0)
    # The pool is as good as before.
    assert server.call("Invoices", ["id"]).num_rows == 20000
