"""OpenTelemetry: spans that a function opens are children of its task's."""

from typing import Any

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace as traces
    from opentelemetry.trace.span import TraceState
except Exception:  # noqa: BLE001 - what is broken there is none of a function's business
    traces = None  # type: ignore[assignment, unused-ignore]


def set_up(config: Any) -> None:
    """Has spans exported the way the vendor's server does, if its configuration says so."""
    if config is None or config.exporter_type is None:
        # The vendor's server forbids tracing then. Here a module may bring a provider of its own.
        return
    from gooddata_flight_server.utils.otel_tracing import initialize_otel_tracing  # noqa: PLC0415

    initialize_otel_tracing(config)


def enter(trace: dict[str, str]) -> None:
    """Makes a remote span the current one, for the rest of the running context."""
    if traces is None:
        return
    parts = (trace.get("traceparent") or "").split("-")
    try:
        parent = traces.SpanContext(
            int(parts[1], 16),
            int(parts[2], 16),
            is_remote=True,
            trace_flags=traces.TraceFlags(int(parts[3], 16)),
            trace_state=TraceState.from_header([trace["tracestate"]]) if trace.get("tracestate") else None,
        )
    except (IndexError, ValueError):
        return
    contexts.attach(traces.set_span_in_context(traces.NonRecordingSpan(parent), contexts.Context()))


def current() -> dict[str, str]:
    """The ids of the span that is open here, if there is one."""
    if traces is None:
        return {}
    span = traces.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {"trace": f"{span.trace_id:032x}", "span": f"{span.span_id:016x}"}
