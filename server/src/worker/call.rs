//! One call of a function in Python: sent to a free slot, answered from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::time::{Instant, timeout_at};

use super::floor::Use;
use super::shared::{Order, Seat, Shared, Waiting};
use super::weight::Weight;
use super::wire::{FromSlot, Packet, To, ToSlot, Trace, WireError};
use super::{failure, stream};
use crate::function::{Call, FunctionError, HeaderValue, Headers};
use crate::task::{Destination, Encoded, Output, place};
use crate::telemetry::spans;

/// How often a call is sent that no worker has seen.
const ATTEMPTS: usize = 3;

/// How long a call without a deadline may go on when nobody waits for it any more.
const NO_DEADLINE: Duration = Duration::from_mins(1);

/// Runs a function in some worker.
pub(super) async fn call(
    shared: &Arc<Shared>,
    function: &str,
    weight: &Weight,
    call: Call,
) -> Result<Output, FunctionError> {
    let body = serde_json::to_vec(&call.parameters)?;
    let task = call.task_id.to_string();
    let mut attempt = 1;
    let (seat, _note) = loop {
        let seat = tokio::select! {
            biased;
            () = call.cancelled.cancelled() => return Err(FunctionError::cancelled()),
            seat = shared.seat(Use::Call { heavy: weight.is_heavy() }) => seat?,
        };
        let note = shared.note(call.task_id, seat.worker);
        // From here on a cancellation finds the worker.
        if call.cancelled.is_cancelled() {
            seat.done();
            return Err(FunctionError::cancelled());
        }
        let head = ToSlot::Call {
            task: &task,
            function,
            headers: headers(&call.headers),
            deadline: call.deadline.map(millis_from_now),
            trace: trace(),
        };
        match seat.send(&head, &body).await {
            Ok(()) => break (seat, note),
            // The worker ended before it saw the call.
            Err(WireError::Closed) if attempt < ATTEMPTS => attempt += 1,
            Err(WireError::Malformed(_)) => {
                seat.done();
                return Err(FunctionError::bad_argument("The headers of the call are too large."));
            }
            Err(error) => return Err(seat.fails(error).await),
        }
    };
    let now = Instant::now();
    let until = call.deadline.unwrap_or(now + NO_DEADLINE) + shared.grace;
    let (mut packet, mut seat) = Waiting::new(seat, until).answer().await?;
    let (mut said, mut place) = (packet.read::<FromSlot>(), None);
    if let Ok(FromSlot::Large { bytes }) = said {
        (packet, seat, place) = large(shared, seat, bytes, until).await?;
        said = packet.read();
    }
    match said {
        Ok(FromSlot::Table { cpu }) => {
            weight.note(cpu);
            seat.done();
            let encoded = match (place, &shared.room) {
                (Some(Destination::File(file)), Some(room)) => Encoded::file(file, room).await,
                // The lease goes now; keeping the result takes another.
                (Some(Destination::File(_) | Destination::Memory { .. }) | None, _) => Encoded::table(packet.body),
            };
            encoded.map(Output::Encoded)
        }
        Ok(FromSlot::Stream { stream, cpu }) => {
            weight.note(cpu);
            let batches = stream::open(shared, seat.worker, stream);
            seat.done();
            Encoded::stream(packet.body, batches).map(Output::Encoded)
        }
        Ok(FromSlot::Error(raised)) => {
            weight.note(raised.cpu);
            seat.done();
            Err(failure::of(raised, &packet.body, function, shared.tracebacks))
        }
        Ok(
            FromSlot::Large { .. }
            | FromSlot::Verified { .. }
            | FromSlot::Refused(_)
            | FromSlot::Batch
            | FromSlot::Rest
            | FromSlot::End,
        ) => Err(unasked(seat).await),
        Err(malformed) => Err(seat.fails(malformed.into()).await),
    }
}

/// Says where a large table goes; what is answered then, and the place.
async fn large(
    shared: &Shared,
    seat: Seat,
    bytes: usize,
    until: Instant,
) -> Result<(Packet, Seat, Option<Destination>), FunctionError> {
    let found = shared.room.as_ref().map(|room| place(room, bytes)).transpose();
    let put = |into| ToSlot::Put { into };
    let said = match &found {
        Ok(None | Some(Destination::Memory { .. })) => seat.send(&put(To::Memory), b"").await,
        Ok(Some(Destination::File(file))) => match file.descriptor() {
            Ok(file) => seat.send_along(&put(To::File), &file).await,
            Err(error) => Err(error.into()),
        },
        Err(_) => seat.send(&put(To::Nowhere), b"").await,
    };
    if let Err(error) = said {
        return Err(seat.fails(error).await);
    }
    let (packet, seat) = Waiting::new(seat, until).answer().await?;
    match found {
        Ok(place) => Ok((packet, seat, place)),
        Err(no_room) => {
            seat.done();
            Err(no_room)
        }
    }
}

/// Waits for the answer of a call that nobody waits for any more, so that its slot can be used again.
pub(super) async fn outlive(seat: Seat, until: Instant) {
    let worker = seat.worker;
    let shared = seat.shared();
    let answer = if let Ok(answer) = timeout_at(until, seat.recv()).await {
        answer
    } else {
        tracing::warn!(worker, "python_call_hangs");
        shared.order(Order::Hung { worker });
        seat.recv().await
    };
    let Ok(packet) = answer else { return };
    match packet.read() {
        Ok(FromSlot::Stream { stream, .. }) => shared.order(Order::Drop { worker, stream }),
        Ok(FromSlot::Large { .. }) => {
            let nowhere = ToSlot::Put { into: To::Nowhere };
            if seat.send(&nowhere, b"").await.is_err() || seat.recv().await.is_err() {
                return;
            }
        }
        Ok(
            FromSlot::Table { .. }
            | FromSlot::Verified { .. }
            | FromSlot::Refused(_)
            | FromSlot::Error(_)
            | FromSlot::Batch
            | FromSlot::Rest
            | FromSlot::End,
        )
        | Err(_) => {}
    }
    seat.done();
}

/// An answer to something that was not asked.
pub(super) async fn unasked(seat: Seat) -> FunctionError {
    let malformed = super::wire::Malformed("an answer that nobody asked for".to_owned());
    seat.fails(malformed.into()).await
}

fn headers(headers: &Headers) -> BTreeMap<&str, Vec<String>> {
    let text = |value: &HeaderValue| match value {
        HeaderValue::Text(text) => text.clone(),
        // JSON has no bytes; this is how they travelled.
        HeaderValue::Bytes(bytes) => BASE64_STANDARD.encode(bytes),
    };
    let values = headers
        .iter()
        .map(|(name, values)| (name, values.iter().map(text).collect()));
    values.collect()
}

fn trace() -> Trace {
    let mut carried = spans::carried();
    Trace {
        traceparent: carried.remove("traceparent"),
        tracestate: carried.remove("tracestate").filter(|state| !state.is_empty()),
    }
}

fn millis_from_now(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}
