"""Below Flight: compression, foreign services, methods that are not there."""

import grpc
import pyarrow as pa
import pytest
from harness import protobuf, wire
from harness.answers import Failure
from harness.caller import Caller, command
from harness.pair import Pair
from harness.server import Server


def _upload() -> bytes:
    """A FlightData with a descriptor and the bare message of a schema."""
    schema = pa.schema([("id", pa.int64())]).serialize().to_pybytes()[8:]
    return protobuf.text(1, wire.descriptor(command("Table"))) + protobuf.text(2, schema)


_REQUESTS = {
    "DoPut": _upload,
    "DoExchange": _upload,
    "DoAction": lambda: protobuf.text(1, b"anything"),
    "Handshake": bytes,
}


@pytest.mark.parametrize(
    "compression", [grpc.Compression.Gzip, grpc.Compression.Deflate, grpc.Compression.NoCompression]
)
def test_compressed_requests_are_understood(plain: Pair, compression: grpc.Compression) -> None:
    request = wire.descriptor(command("Table", pad="x" * 100_000))
    answers = plain.ask(lambda server: wire.call(server, "GetFlightInfo", request, compression=compression))
    assert {answer.status for answer in answers.values()} == {"OK"}
    assert {len(answer.messages) for answer in answers.values()} == {1}


@pytest.mark.parametrize("method", ["GetFlightInfo2", "getFlightInfo", ""])
def test_an_unknown_method_has_no_arrow_trailers(plain: Pair, method: str) -> None:
    answer = plain.agree(lambda server: wire.call(server, method))
    assert (answer.status, answer.message, answer.trailers) == ("UNIMPLEMENTED", "", {})


def test_an_unknown_service_has_no_arrow_trailers(plain: Pair) -> None:
    answer = plain.agree(lambda server: wire.call(server, "Anything", service="some.other.Service"))
    assert (answer.status, answer.message, answer.trailers) == ("UNIMPLEMENTED", "", {})


@pytest.mark.parametrize("method", _REQUESTS)
def test_methods_that_are_not_there_are_unimplemented(plain: Pair, method: str) -> None:
    request = _REQUESTS[method]()
    status, arrow, details = plain.agree(lambda server: _unimplemented(wire.call(server, method, request)))
    assert (status, details) == ("UNIMPLEMENTED", False)
    assert arrow == b"10"


def test_a_handshake_is_answered_in_the_words_of_the_original(plain: Pair) -> None:
    msg = "This service does not have an authentication mechanism enabled."
    answer = plain.agree(lambda server: wire.call(server, "Handshake"))
    assert (answer.status, answer.message) == ("UNIMPLEMENTED", msg)
    assert answer.trailers == {
        "x-arrow-status": b"10",
        "x-arrow-status-message-bin": f"Flight returned unimplemented error, with message: {msg}".encode(),
    }


def test_pyarrow_takes_them_for_not_implemented(plain: Pair) -> None:
    def ask(server: Server) -> list[str]:
        caller = Caller(server)
        with caller.connect() as client:
            calls = [
                lambda: list(client.do_action("anything", caller.options())),
                lambda: client.authenticate_basic_token(b"user", b"password"),
            ]
            return [_class_of(call) for call in calls]

    assert plain.agree(ask) == ["ArrowNotImplementedError"] * 2


def test_the_server_goes_on_after_all_of_that(plain: Pair) -> None:
    assert not isinstance(plain.agree(lambda server: Caller(server).info(command("Table"))), Failure)


def _unimplemented(answer: wire.WireAnswer) -> tuple[str, bytes | None, bool]:
    return answer.status, answer.trailers.get("x-arrow-status"), "grpc-status-details-bin" in answer.trailers


def _class_of(call: object) -> str:
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the class is what is asked for
        return type(error).__name__
    return "nothing"
