"""Below Flight: compression, foreign services, methods that are not there."""

import grpc
import pytest
from harness import wire
from harness.caller import command
from harness.pair import Pair


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
