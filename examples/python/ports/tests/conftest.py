"""Sources with known rows, and a server with the functions that read from them."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from api import TOKEN, OrdersService
from postgres import Postgres
from servers import Server, find

PORTS = Path(__file__).parent.parent
PROJECT = PORTS.parent


@pytest.fixture(scope="session")
def days() -> list[dict[str, str]]:
    """The weather as it is in the file, read by nothing but Python."""
    with (PROJECT / "data" / "seattle-weather.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def airports() -> list[dict[str, str]]:
    """The airports as they are in the file."""
    with (PROJECT / "data" / "airports.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def orders() -> Iterator[OrdersService]:
    """An HTTP API on this machine."""
    with OrdersService() as service:
        yield service


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """A PostgreSQL with a table of invoices."""
    with Postgres() as database:
        database.run(
            "CREATE TABLE invoices (id bigint PRIMARY KEY, customer text, issued date, amount numeric(12, 2))",
            "INSERT INTO invoices SELECT n, CASE n % 4 WHEN 0 THEN NULL ELSE 'customer ' || n % 4 END, "
            "date '2026-01-01' + n % 365, n * 1.25 FROM generate_series(1, 20000) AS n",
        )
        yield database


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory, days: list[dict[str, str]]) -> Path:
    """A folder with a Parquet file for each year."""
    folder = tmp_path_factory.mktemp("history")
    for year in ("2012", "2013", "2014", "2015"):
        rows = [day for day in days if day["date"].startswith(year)]
        columns = {
            "date": pa.array([row["date"].replace("/", "-") for row in rows]).cast(pa.date32()),
            "weather": pa.array([row["weather"] for row in rows]),
        }
        for name in ("temp_max", "temp_min", "wind"):
            columns[name] = pa.array([float(row[name]) for row in rows])
        parquet.write_table(pa.table(columns), folder / f"{year}.parquet")
    return folder


@pytest.fixture(scope="session")
def server(
    orders: OrdersService, database: Postgres, history: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Our server, with all functions of this folder."""
    environment = {
        "GOODDATA_FLIGHT_ORDERS__URL": orders.url,
        "GOODDATA_FLIGHT_ORDERS__TOKEN": TOKEN,
        "GOODDATA_FLIGHT_WAREHOUSE__URL": database.url,
        "GOODDATA_FLIGHT_HISTORY__FILES": str(history / "*.parquet"),
        # Their packages take their time to import, and one worker does.
        "GOODDATA_FLIGHT_PYTHON__WORKERS": "1",
    }
    config = [PROJECT / "config" / "dev.server.toml", PORTS / "config" / "sources.toml"]
    folder = tmp_path_factory.mktemp("server")
    sources = (PROJECT / "src", PORTS / "src")
    with Server(
        find("flexconnect-server"), config, *sources, cwd=PROJECT, folder=folder, environment=environment
    ) as server:
        yield server
