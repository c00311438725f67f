"""A stand-in for an OpenTelemetry collector: it keeps what is exported to it by OTLP, over gRPC or over HTTP."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
Attributes = dict[str, object]


@dataclass(frozen=True)
class Event:
    """Something that happened within a span."""

    name: str
    attributes: Attributes


@dataclass(frozen=True)
class Span:
    """A span, and the process that it comes from."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    status: str
    attributes: Attributes
    events: tuple[Event, ...]
    scope: str
    resource: Attributes


class Collector:
    """Listens on two ports of its own until it is left."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._lock = threading.Lock()
        self._grpc = grpc.server(ThreadPoolExecutor(4))
        export = grpc.unary_unary_rpc_method_handler(
            self._export_grpc, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString
        )
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": export}),))
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.grpc = f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self.http = f"http://127.0.0.1:{self._http.server_port}"

    def spans(self, pid: int) -> list[Span]:
        """What a process has exported so far."""
        with self._lock:
            return [span for span in self._spans if span.resource.get("process.pid") == pid]

    def _take(self, request: ExportTraceServiceRequest) -> None:
        with self._lock:
            self._spans.extend(_spans(request))

    def _export_grpc(self, request: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:
        self._take(request)
        return ExportTraceServiceResponse()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                known = self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
                if known:
                    take(ExportTraceServiceRequest.FromString(body))
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler

    def __enter__(self) -> Self:
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes both ports."""
        self._grpc.stop(None).wait()
        self._http.shutdown()
        self._http.server_close()


def _spans(request: ExportTraceServiceRequest) -> Iterable[Span]:
    for of_process in request.resource_spans:
        resource = _attributes(of_process.resource.attributes)
        for of_scope in of_process.scope_spans:
            for span in of_scope.spans:
                yield Span(
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
                    _attributes(span.attributes),
                    tuple(Event(event.name, _attributes(event.attributes)) for event in span.events),
                    of_scope.scope.name,
                    resource,
                )


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)
