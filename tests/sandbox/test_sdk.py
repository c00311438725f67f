"""The vendor's own client, unchanged, against the running stand-in.

It dials a Flight server of pyarrow.
"""

import json
import secrets
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.flight as flight
import pytest
from gooddata_api_client.exceptions import ApiException, NotFoundException
from gooddata_api_client.model.test_request import TestRequest as ConnectionTestRequest
from gooddata_sdk import (
    BasicCredentials,
    CatalogDataSource,
    CatalogDataSourcePostgres,
    GoodDataSdk,
    PostgresAttributes,
)
from gooddata_sdk.catalog.data_source.action_model.requests.scan_model_request import CatalogScanModelRequest
from gooddata_sdk.catalog.entity import TokenCredentials
from gooddata_sdk.catalog.types import UpsertOutcome

pytestmark = pytest.mark.timeout(60)

FLIGHT_TOKEN = secrets.token_hex()


class CheckToken(flight.ServerMiddlewareFactory):
    def start_call(self, _info, headers):
        if headers.get("authorization") != [f"Bearer {FLIGHT_TOKEN}"]:
            raise flight.FlightUnauthenticatedError("Authentication token is not valid.")


class Functions(flight.FlightServerBase):
    """Lists one function, as a FlexConnect server does."""

    SCHEMA = pa.schema([("region", pa.string()), ("revenue", pa.float64()), ("day", pa.date32())])

    def __init__(self):
        super().__init__("grpc://127.0.0.1:0", middleware={"token": CheckToken()})

    def list_flights(self, _context, _criteria):
        command = json.dumps({"functionName": "Sales", "metadata": None})
        yield flight.FlightInfo(self.SCHEMA, flight.FlightDescriptor.for_command(command), [], -1, -1)


@pytest.fixture
def sdk(endpoint: str, token: str) -> Iterator[GoodDataSdk]:
    sdk = GoodDataSdk.create(endpoint, token)
    yield sdk
    for source in sdk.catalog_data_source.list_data_sources():
        sdk.catalog_data_source.delete_data_source(source.id)


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    with Functions() as server:
        yield server


def flexconnect(url: str = "grpc://127.0.0.1:17001", token: str = FLIGHT_TOKEN) -> CatalogDataSource:
    return CatalogDataSource(
        id="sales",
        name="Sales",
        type="FLEXCONNECT",
        schema="",
        url=url,
        cache_strategy="NEVER",
        parameters=[{"name": "loadBalancing", "value": "round-robin"}],
        credentials=TokenCredentials(token=token),
    )


def test_is_available(sdk: GoodDataSdk):
    assert sdk.support.is_available


def test_finds_its_organization(sdk: GoodDataSdk):
    assert sdk.catalog_organization.get_organization().id == "sandbox"


def test_creates_then_updates(sdk: GoodDataSdk):
    service = sdk.catalog_data_source
    assert service.create_or_update_data_source(flexconnect()) is UpsertOutcome.CREATED
    changed = flexconnect()
    changed.name = "Sales functions"
    assert service.create_or_update_data_source(changed) is UpsertOutcome.UPDATED
    read = service.get_data_source("sales")
    assert read == changed
    assert (read.url, read.cache_strategy) == (changed.url, "NEVER")
    shown = sdk.client.entities_api.get_entity_data_sources("sales").data.attributes.to_dict(camel_case=False)
    assert (shown["authentication_type"], "token" in shown) == ("TOKEN", False), "a secret is never shown"


def test_patches(sdk: GoodDataSdk):
    service = sdk.catalog_data_source
    service.create_or_update_data_source(flexconnect())
    two = "grpc://127.0.0.1:17001;grpc://127.0.0.1:17002"
    service.patch_data_source_attributes("sales", {"url": two, "token": "rotated"})
    read = service.get_data_source("sales")
    assert (read.url, read.name) == (two, "Sales")


def test_lists_and_deletes(sdk: GoodDataSdk):
    service = sdk.catalog_data_source
    service.create_or_update_data_source(flexconnect())
    postgres = CatalogDataSourcePostgres(
        id="warehouse",
        name="Warehouse",
        schema="demo",
        db_specific_attributes=PostgresAttributes(host="localhost", db_name="demo"),
        credentials=BasicCredentials(username="demouser", password=secrets.token_hex()),
    )
    service.create_or_update_data_source(postgres)
    assert [source.id for source in service.list_data_sources()] == ["sales", "warehouse"]
    assert service.get_data_source("warehouse").url == "jdbc:postgresql://localhost:5432/demo"
    service.delete_data_source("sales")
    assert [source.id for source in service.list_data_sources()] == ["warehouse"]
    with pytest.raises(NotFoundException) as missing:
        service.get_data_source("sales")
    assert missing.value.headers["Content-Type"] == "application/problem+json"


def test_shows_what_is_refused(sdk: GoodDataSdk):
    postgres = CatalogDataSource(
        id="sales",
        name="Sales",
        type="POSTGRESQL",
        schema="demo",
        url="jdbc:postgresql://localhost:5432/demo",
        credentials=TokenCredentials(token=secrets.token_hex()),
    )
    sdk.catalog_data_source.create_or_update_data_source(postgres)
    with pytest.raises(ApiException) as refused:
        sdk.catalog_data_source.patch_data_source_attributes("sales", {"date_time_semantics": "UTC"})
    assert refused.value.status == 400
    detail = json.loads(refused.value.body)["detail"]
    assert detail == "Date time semantics setting is not supported for the given database type"


def test_tests_the_connection(sdk: GoodDataSdk, functions: Functions):
    sdk.catalog_data_source.create_or_update_data_source(flexconnect(f"grpc://127.0.0.1:{functions.port}"))
    actions = sdk.client.actions_api
    assert actions.test_data_source("sales", ConnectionTestRequest()).successful
    wrong = actions.test_data_source("sales", ConnectionTestRequest(token=secrets.token_hex()))
    assert not wrong.successful
    assert "Authentication token is not valid" in wrong.error


def test_scans_functions_as_tables(sdk: GoodDataSdk, functions: Functions):
    service = sdk.catalog_data_source
    service.create_or_update_data_source(flexconnect(f"grpc://127.0.0.1:{functions.port}"))
    assert service.scan_schemata("sales") == []
    scanned = service.scan_data_source("sales", CatalogScanModelRequest(scan_tables=True, scan_views=True))
    (table,) = scanned.pdm.tables
    assert (table.id, table.path) == ("Sales", ["Sales"])
    assert [(column.name, column.data_type) for column in table.columns] == [
        ("region", "STRING"),
        ("revenue", "NUMERIC"),
        ("day", "DATE"),
    ]


def test_invalidates_caches(sdk: GoodDataSdk):
    sdk.catalog_data_source.create_or_update_data_source(flexconnect())
    sdk.catalog_data_source.register_upload_notification("sales")


def test_a_wrong_token_is_unauthorized(endpoint: str):
    with pytest.raises(ApiException) as refused:
        GoodDataSdk.create(endpoint, "wrong").catalog_data_source.list_data_sources()
    assert refused.value.status == 401
