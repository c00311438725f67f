//! The spans of calls and tasks: what their log lines have in common, and what traces show of them.
//!
//! ```text
//! GET_FLIGHT_INFO ─► task_execution ─┬─► task_run_submit
//!                                    └─► task_run
//! ```
//!
//! A task may outlive the call that began it, so its span is not nested in the call's; it is its child in the trace, and
//! inherits the keys of its log lines. Spans that only traces need do not exist when nobody takes them.

use std::collections::HashMap;
use std::fmt::Display;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{ExtensionsMut, LookupSpan as _};

use super::log::ParentSpan;
use super::{Rpc, traces};
use crate::error::{self, FlightError};

const TASK_ID: &str = "gooddata_flight_server.task_id";
const TASK_ERROR: &str = "gooddata_flight_server.task_error";
const TASK_CANCELLED: &str = "gooddata_flight_server.task_cancelled";

/// The span of a call by a client with this address. It continues the trace that the headers name, if that is wanted.
pub(crate) fn rpc(rpc: Rpc, peer: Option<&str>, headers: &HeaderMap) -> Span {
    if !traces::are_on() {
        return tracing::info_span!("rpc", peer);
    }
    let Some(name) = rpc.span() else {
        return tracing::info_span!("rpc", peer);
    };
    let span = tracing::info_span!(
        parent: None,
        "rpc",
        peer,
        otel.name = name,
        otel.kind = "server",
        rpc.system = "grpc",
        rpc.service = "FlightRPC",
        rpc.method = name,
    );
    adopt(
        &span,
        global::get_text_map_propagator(|propagator| propagator.extract(&Carrier(headers))),
    );
    span
}

/// The start of the server, a trace of its own.
pub(crate) fn server_start() -> Span {
    if traces::are_on() {
        tracing::info_span!(parent: None, "server_start")
    } else {
        Span::none()
    }
}

/// Says of the span of a call that its status is no failure.
struct Expected;

/// The call of the current span is answered as it should, though its status is an error to gRPC: a client that polls is
/// told to come again, or that its task is cancelled.
pub(crate) fn expected_answer() {
    if traces::are_on() {
        with_extensions(&Span::current(), |mut extensions| extensions.replace(Expected));
    }
}

/// The call of this span was answered with the error that these trailers tell.
pub(crate) fn rpc_failed(span: &Span, trailers: &HeaderMap) {
    if !traces::are_on() {
        return;
    }
    if with_extensions(span, |mut extensions| extensions.get_mut::<Expected>().is_some()) == Some(true) {
        span.set_status(Status::Ok);
    } else {
        fail(span, error::message_of(trailers));
    }
}

/// The call of this span was answered.
pub(crate) fn rpc_succeeded(span: &Span) {
    if traces::are_on() {
        span.set_status(Status::Ok);
    }
}

/// The span of a task, from its submission by the call of the current span to its end.
pub(crate) fn task(kind: &str, id: impl Display) -> Span {
    let call = Span::current();
    let span = tracing::info_span!(parent: None, "task", fun = kind, task_id = %id, otel.name = "task_execution");
    if traces::are_on() {
        adopt(&span, call.context());
        span.set_attribute(TASK_ID, id.to_string());
        let _submitted = tracing::info_span!(parent: &span, "task_run_submit").entered();
    }
    span
}

/// The span of running a task, within the span of the task.
pub(crate) fn task_run(task: &Span, id: impl Display) -> Span {
    if !traces::are_on() {
        return task.clone();
    }
    let span = tracing::info_span!(parent: task, "task_run");
    span.set_attribute(TASK_ID, id.to_string());
    span
}

/// The current span as other processes are told of it, by the names of W3C's headers; nothing when nobody takes traces.
pub(crate) fn carried() -> HashMap<String, String> {
    let mut carried = HashMap::new();
    if traces::are_on() {
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carried);
    }
    carried
}

/// The function returned an error, or was cancelled.
pub(crate) fn run_failed(run: &Span, error: &impl Display) {
    if traces::are_on() {
        fail(run, error.to_string());
    }
}

/// The task has a result.
pub(crate) fn task_succeeded(task: &Span) {
    if traces::are_on() {
        task.set_status(Status::Ok);
    }
}

/// The task failed with this error.
pub(crate) fn task_failed(task: &Span, error: &FlightError) {
    if traces::are_on() {
        let detail = match error {
            FlightError::Described { info, .. } => info.detail(),
            FlightError::Plain { .. } | FlightError::InvalidArgument(_) | FlightError::Unimplemented(_) => None,
        };
        let detail = detail.unwrap_or_default().to_owned();
        let attributes = [
            error
                .code()
                .map(|code| KeyValue::new(format!("{TASK_ERROR}.code"), code.to_string())),
            Some(KeyValue::new(format!("{TASK_ERROR}.msg"), error.message().to_owned())),
            Some(KeyValue::new(format!("{TASK_ERROR}.detail"), detail)),
        ];
        task.add_event(TASK_ERROR, attributes.into_iter().flatten().collect());
        task.set_status(Status::error(error.message().to_owned()));
    }
}

/// The task was cancelled.
pub(crate) fn task_cancelled(task: &Span) {
    if traces::are_on() {
        task.add_event(TASK_CANCELLED, Vec::new());
        task.set_status(Status::Ok);
    }
}

/// Marks a span as failed, in the way of exceptions.
fn fail(span: &Span, message: String) {
    span.add_event("exception", vec![KeyValue::new("exception.message", message.clone())]);
    span.set_status(Status::error(message));
}

/// Makes a span the child of what a context holds, which it is not nested in.
pub(super) fn adopt(span: &Span, parent: Context) {
    let parent_span = parent.span().span_context().clone();
    if !parent_span.is_valid() {
        return;
    }
    let _ = span.set_parent(parent);
    with_extensions(span, |mut extensions| {
        extensions.insert(ParentSpan(parent_span.span_id()));
    });
}

/// Looks at what is kept with a span, if anybody keeps it.
fn with_extensions<T>(span: &Span, look: impl FnOnce(ExtensionsMut<'_>) -> T) -> Option<T> {
    span.with_subscriber(|(id, subscriber)| {
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        Some(look(span.extensions_mut()))
    })?
}

/// The door of the fuzzers: the trace that a caller's headers name.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_trace_context(headers: &HeaderMap) {
    use opentelemetry::propagation::TextMapPropagator as _;
    let propagator = opentelemetry_sdk::propagation::TraceContextPropagator::new();
    adopt(&Span::none(), propagator.extract(&Carrier(headers)));
}

/// Headers as OpenTelemetry reads them.
struct Carrier<'a>(&'a HeaderMap);

impl Extractor for Carrier<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
