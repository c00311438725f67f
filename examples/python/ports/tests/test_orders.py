"""Orders from an HTTP API."""

import pytest
from pyarrow import flight

from api import TOKEN, OrdersService
from contexts import one_of, report
from servers import Server
from waiting import wait_until


@pytest.fixture(autouse=True)
def _forgotten(orders: OrdersService) -> None:
    orders.asked.clear()
    orders.statuses.clear()


def test_all_pages_are_read(server: Server, orders: OrdersService) -> None:
    assert server.call("Orders").to_pylist() == list(orders.ORDERS)
    assert [query["page"] for query in orders.asked] == [[str(page)] for page in range(1, 8)]


def test_the_service_filters_and_the_columns_are_cut(server: Server, orders: OrdersService) -> None:
    context = report(one_of("Orders.region", "East", "North"))
    found = server.call("Orders", ["amount"], executionContext=context)
    expected = [{"amount": order["amount"]} for order in orders.ORDERS if order["region"] in ("East", "North")]
    assert found.to_pylist() == expected
    assert all(query["region"] == ["East", "North"] for query in orders.asked)


def test_a_service_that_is_busy_is_asked_again(server: Server, orders: OrdersService) -> None:
    orders.statuses[:] = [503, 502]
    assert server.call("Orders").num_rows == len(orders.ORDERS)


def test_an_error_says_what_happened_and_nothing_secret(server: Server, orders: OrdersService) -> None:
    orders.statuses[:] = [403]
    with pytest.raises(flight.FlightServerError, match=r"The service of orders answered with status 403\.") as error:
        server.call("Orders")
    assert orders.url not in str(error.value)
    assert TOKEN not in str(error.value) + server.log


def test_pages_are_fetched_no_further_than_they_are_read(server: Server, orders: OrdersService) -> None:
    stream = server.stream("Orders", executionContext=report(one_of("Orders.region", "endless")))
    assert stream.read_chunk().data.num_rows == 50
    ended = server.log.count("orders-read")
    stream.cancel()
    wait_until("the stream is dropped", lambda: server.log.count("orders-read") > ended)
    asked = len(orders.asked)
    assert server.call("Orders").num_rows == len(orders.ORDERS)
    assert len(orders.asked) == asked + 7
