//! From events to lines.

use std::cell::Cell;
use std::sync::OnceLock;

use jiff::Timestamp;
use opentelemetry::SpanId;
use opentelemetry::trace::TraceContextExt as _;
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::Fields;
use super::line::{Line, Style};
use crate::config::TraceKeys;

/// Room that a thread keeps for its next line. An occasional giant is not kept.
const KEPT: usize = 64 * 1024;

/// Takes lines, each whole and with its end.
pub(in crate::telemetry) trait Output: Send + Sync + 'static {
    fn take(&self, line: &str);
}

/// Hands every event to an output as one line.
pub(in crate::telemetry) struct Lines<O> {
    style: Style,
    output: O,
    traces: Option<Traces>,
}

/// How to tell the ids of the trace that an event belongs to.
struct Traces {
    keys: TraceKeys,
    dispatch: OnceLock<WeakDispatch>,
}

impl<O> Lines<O> {
    /// Lines without the ids of traces, since there are none.
    pub(in crate::telemetry) const fn new(style: Style, output: O) -> Self {
        Self {
            style,
            output,
            traces: None,
        }
    }

    /// Tells the ids of traces under these keys.
    pub(in crate::telemetry) fn with_traces(mut self, keys: TraceKeys) -> Self {
        self.traces = Some(Traces {
            keys,
            dispatch: OnceLock::new(),
        });
        self
    }
}

/// The keys of a span, which are also keys of every event in it.
struct SpanKeys(Fields);

/// The parent of a span in its trace, kept with the span where the two are not nested in this process.
pub(in crate::telemetry) struct ParentSpan(pub(in crate::telemetry) SpanId);

thread_local! {
    /// Where a thread's lines are put together. Taken while in use: values may log while they are written.
    static ROOM: Cell<Room> = Cell::default();
}

#[derive(Default)]
struct Room {
    fields: Fields,
    line: String,
}

impl<S, O> Layer<S> for Lines<O>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    O: Output,
{
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        if let Some(traces) = &self.traces {
            let _ = traces.dispatch.set(subscriber.downgrade());
        }
    }

    /// A span that is nested in no other but was opened within one takes over its keys: a task outlives the call that
    /// began it, and its lines still tell who called.
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::of_span();
        attributes.record(&mut fields);
        if attributes.is_root() {
            for opener in context.lookup_current().iter().flat_map(SpanRef::scope) {
                if let Some(SpanKeys(keys)) = opener.extensions().get() {
                    fields.inherit(keys);
                }
            }
        }
        span.extensions_mut().insert(SpanKeys(fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(SpanKeys(fields)) = span.extensions_mut().get_mut() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // No room is left while a thread ends.
        let mut room = ROOM.try_with(Cell::take).unwrap_or_default();
        let Room { fields, line } = &mut room;
        fields.clear();
        line.clear();
        event.record(fields);
        for span in context.event_scope(event).into_iter().flatten() {
            // The event's own keys, and those of inner spans, come first.
            if let Some(SpanKeys(keys)) = span.extensions().get() {
                fields.inherit(keys);
            }
        }
        let ids = match &self.traces {
            Some(traces) => context
                .event_span(event)
                .map_or_else(Vec::new, |span| traces.ids(&span)),
            None => Vec::new(),
        };
        let whole = Line {
            fields,
            ids: &ids,
            target: event.metadata().target(),
            level: *event.metadata().level(),
            time: Timestamp::now(),
        };
        whole.write(&self.style, line);
        self.output.take(line);
        if line.capacity() <= KEPT {
            let _ = ROOM.try_with(|kept| kept.set(room));
        }
    }
}

impl Traces {
    /// The ids of a span in its trace, by the keys that they have in lines.
    fn ids<S>(&self, span: &SpanRef<'_, S>) -> Vec<(&str, String)>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let Some(dispatch) = self.dispatch.get().and_then(WeakDispatch::upgrade) else {
            return Vec::new();
        };
        let context_of = |id: &Id| {
            let context = get_otel_context(id, &dispatch)?;
            let context = context.span().span_context().clone();
            context.is_valid().then_some(context)
        };
        let Some(context) = context_of(&span.id()) else {
            return Vec::new();
        };
        let remembered = span.extensions().get::<ParentSpan>().map(|&ParentSpan(parent)| parent);
        let parent = remembered.or_else(|| context_of(&span.parent()?.id()).map(|context| context.span_id()));
        // Ids are displayed as the W3C writes them, leading zeros included.
        let TraceKeys {
            trace_id,
            span_id,
            parent_span_id,
        } = &self.keys;
        let mut ids = vec![
            (
                trace_id.as_deref().unwrap_or("trace_id"),
                context.trace_id().to_string(),
            ),
            (span_id.as_deref().unwrap_or("span_id"), context.span_id().to_string()),
        ];
        let parent_key = parent_span_id.as_deref().unwrap_or("parent_span_id");
        ids.extend(parent.map(|parent| (parent_key, parent.to_string())));
        ids
    }
}
