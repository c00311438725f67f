"""Methods providers: a module's own Flight RPC methods, served beside the server's socket."""

import base64
import json
from collections.abc import Iterator

import pytest
from harness.events import event
from harness.server import Server, Worker
from pyarrow import flight


@pytest.fixture(scope="module")
def warehouse(server: Server) -> Worker:
    """A worker with the methods of `warehouse`."""
    worker = server.start_worker()
    loaded = worker.load(provider="warehouse")
    assert loaded.op == "loaded", loaded
    assert json.loads(loaded.body)["functions"] == []
    assert set(json.loads(loaded.body)["versions"]) == {"python", "pyarrow", "gooddata-flight-server"}
    return worker


@pytest.fixture
def client(server: Server, warehouse: Worker) -> Iterator[flight.FlightClient]:
    """Who connects as the server does."""
    assert warehouse.pid
    with flight.connect(f"grpc+unix://{server.path.with_name('methods')}") as client:
        yield client


def _with(worker: Worker, *headers: tuple[str, str]) -> flight.FlightCallOptions:
    all_ = (("x-flexconnect-key", worker.key), *headers)
    return flight.FlightCallOptions(timeout=30, headers=[(name.encode(), value.encode()) for name, value in all_])


def test_methods_answer_who_comes_from_the_server(warehouse: Worker, client: flight.FlightClient) -> None:
    assert client.do_get(flight.Ticket(b"3"), _with(warehouse)).read_all().num_rows == 3
    assert event(warehouse, "asked for 3")["logger"] == "stdout"
    health = warehouse.inbox.next("health")
    assert (health.head["module"], health.head["status"]) == ("warehouse", "ok")


@pytest.mark.parametrize("key", [None, "guessed"])
def test_nobody_else_is_answered(client: flight.FlightClient, key: str | None) -> None:
    headers = [] if key is None else [(b"x-flexconnect-key", key.encode())]
    with pytest.raises(flight.FlightUnauthenticatedError, match="Calls come through the server"):
        client.do_get(flight.Ticket(b"3"), flight.FlightCallOptions(timeout=30, headers=headers)).read_all()


def test_the_caller_is_the_one_behind_the_server(warehouse: Worker, client: flight.FlightClient) -> None:
    who = {"subject": "ann", "claims": {"team": "sales"}}
    told = base64.b64encode(json.dumps(who).encode()).decode().rstrip("=")
    # pyarrow encodes what it sends under such a name itself, and so does the server.
    identity = ("x-flexconnect-identity-bin", base64.b64decode(told + "=" * (-len(told) % 4)).decode())
    options = _with(warehouse, ("x-flexconnect-peer", "ipv4:10.0.0.7:4711"), identity, ("x-own", "1"))
    peer, subject, claims, headers = (
        answer.body.to_pybytes().decode() for answer in client.do_action(("who", b""), options)
    )
    assert (peer, subject, claims) == ("ipv4:10.0.0.7:4711", "ann", "{'team': 'sales'}")
    assert "'x-own'" in headers
    assert "x-flexconnect" not in headers


def test_what_a_method_raises_is_logged_with_its_traceback(warehouse: Worker, client: flight.FlightClient) -> None:
    with pytest.raises(KeyError, match="no such shelf"):
        list(client.do_action(("raise", b""), _with(warehouse)))
    failed = event(warehouse, "flight_method_failed")
    assert failed["fields"]["method"] == "DoAction"
    assert "warehouse.py" in failed["fields"]["exception"]


def test_methods_that_are_not_there_say_so(warehouse: Worker, client: flight.FlightClient) -> None:
    with pytest.raises(NotImplementedError, match="GetSchema is not implemented"):
        client.get_schema(flight.FlightDescriptor.for_command(b"x"), _with(warehouse))
    with pytest.raises(NotImplementedError, match="ListFlights is not implemented"):
        list(client.list_flights(b"", _with(warehouse)))


_WANTED = "it needs exactly one function marked with @flight_server_methods, with one parameter: the ServerContext"


@pytest.mark.parametrize(
    ("provider", "settings", "message"),
    [
        ("nowhere.service", {}, "the methods provider 'nowhere.service' is not found"),
        ("no_methods", {}, f"the methods provider 'no_methods' has no methods: {_WANTED}"),
        (
            "methods_twice",
            {},
            f"the methods provider 'methods_twice' has 2 sets of methods (other, warehouse): {_WANTED}",
        ),
        ("methods_wrong", {}, f"wrong of the methods provider 'methods_wrong' takes other parameters: {_WANTED}"),
        (
            "methods_none",
            {},
            "nothing of the methods provider 'methods_none' returned a dict: it has to return FlightServerMethods",
        ),
        ("methods_none", {"nothing": {"raises": True}}, "RuntimeError: no warehouse"),
    ],
)
def test_a_provider_without_methods_says_why(server: Server, provider: str, settings: dict, message: str) -> None:
    worker = server.start_worker()
    answer = worker.load(provider=provider, settings=settings)
    assert answer.op == "unloadable"
    assert answer.head["message"] == message
    assert worker.exited()["code"] == 0
