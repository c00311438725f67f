//! Tasks as flights: what a client is told of a task, and the data of its result.

use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::SystemTime;

use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Location, Ticket};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use prost_types::Timestamp;
use tokio::time::Instant;

use super::{CallContext, DataStream, ServerContext};
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::task::{CallEnding, FunctionError, Outcome, Refusal, Stored, Task, TaskId, Totals, Waited};
use crate::telemetry::metrics::StreamMeter;

/// How one kind of service tells that a task was cancelled.
pub(super) type Cancelled = fn(TaskId) -> FlightError;

impl CallContext {
    /// Waits for a task and says where its result can be read: here, with this ticket.
    ///
    /// For methods that submit a task and wait for its end. A client that goes away before that can never come back for
    /// the result: then the task is cancelled.
    ///
    /// # Errors
    /// The error of the task, or that it was cancelled, or took too long.
    pub async fn flight_of(&self, task: &Arc<Task>, ticket: impl Into<Bytes>) -> Result<FlightInfo, FlightError> {
        let caller = self.server().tasks().cancel_on_drop(task);
        let waited = task.wait(task.time_left()).await;
        caller.stays();
        let stored = result(task, waited, "GetFlightInfo", cancelled)?;
        Ok(flight(self.server(), task, &stored, ticket.into()))
    }

    /// The data of a task's result, by the task's id as it came from a client. Waits for a task that still runs.
    ///
    /// # Errors
    /// The error of the task, that there is none (any more), or that its result could be read once and was.
    pub async fn data_of(&self, id: &str) -> Result<DataStream, FlightError> {
        read(self.server(), id, cancelled).await
    }
}

/// The result of a task that was waited for. `method` is what waited.
pub(super) fn result(
    task: &Task,
    waited: Waited,
    method: &str,
    cancelled: Cancelled,
) -> Result<Arc<Stored>, FlightError> {
    match waited {
        Waited::Ended(Outcome::Succeeded(stored)) => Ok(stored),
        Waited::Ended(Outcome::Failed(error)) => Err(error),
        Waited::Ended(Outcome::Cancelled) => Err(cancelled(task.id())),
        Waited::TimedOut | Waited::Pending => Err(timed_out(method, task.id())),
    }
}

/// Reads the result of a task, once it is there.
pub(super) async fn read(server: &ServerContext, id: &str, cancelled: Cancelled) -> Result<DataStream, FlightError> {
    let arrived = Instant::now();
    let tasks = server.tasks();
    let task = tasks.find(id).ok_or_else(|| no_such_result(id))?;
    let waited = task.wait(task.time_left()).await;
    let stored = result(&task, waited, "DoGet", cancelled)?;
    let reading = tasks.read(&task, stored).map_err(|_| consumed())?;
    let reading = match server.answers().stream_keep_alive {
        Some(silence) => reading.keep_alive(silence),
        None => reading,
    };
    let id = task.id();
    let messages = reading.map(move |message| message.map_err(|error| broken_off(id, error, cancelled)));
    let meter = server.metrics().kind(task.kind()).stream_opened(arrived);
    Ok(metered(messages.boxed(), meter))
}

/// Counts what is sent, and how it ends.
fn metered(mut messages: DataStream, meter: StreamMeter) -> DataStream {
    let mut meter = Some(meter);
    stream::poll_fn(move |context| {
        let message = ready!(messages.poll_next_unpin(context));
        match &message {
            Some(Ok(message)) => meter.as_mut().map(|meter| meter.sent(message.rows, message.len())),
            Some(Err(_)) => meter.take().map(StreamMeter::failed),
            None => meter.take().map(StreamMeter::finished),
        };
        Poll::Ready(message)
    })
    .boxed()
}

/// The end of a stream whose source failed while it was read.
fn broken_off(task: TaskId, error: FunctionError, cancelled: Cancelled) -> FlightError {
    tracing::error!(task_id = %task, exception = %error, "do_get_failed");
    match error.into_ending() {
        CallEnding::Failed(error) => error,
        CallEnding::Cancelled => cancelled(task),
    }
}

/// The flight of a result: its real columns, the command it came from, one ticket to read it with.
pub(super) fn flight(server: &ServerContext, task: &Task, stored: &Stored, ticket: Bytes) -> FlightInfo {
    let tells_expiry = server.answers().expiration_time;
    let totals = stored.totals().filter(|_| server.answers().exact_totals);
    let count = |part: fn(Totals) -> usize| totals.and_then(|totals| i64::try_from(part(totals)).ok()).unwrap_or(-1);
    let endpoint = FlightEndpoint {
        ticket: Some(Ticket { ticket }),
        location: vec![Location { uri: server.location() }],
        expiration_time: tells_expiry.then(|| moment(server.tasks().expiry(task))),
        app_metadata: Bytes::new(),
    };
    FlightInfo {
        schema: stored.schema().encapsulated().clone(),
        flight_descriptor: Some(FlightDescriptor::new_cmd(task.command().clone())),
        endpoint: vec![endpoint],
        total_records: count(|totals| totals.rows),
        total_bytes: count(|totals| totals.bytes),
        ..FlightInfo::default()
    }
}

/// A flight of which nothing is known.
pub(super) fn unknown_totals() -> FlightInfo {
    FlightInfo {
        total_records: -1,
        total_bytes: -1,
        ..FlightInfo::default()
    }
}

/// A moment of our clock by the clock that clients have too.
pub(super) fn moment(instant: Instant) -> Timestamp {
    let left = instant.saturating_duration_since(Instant::now());
    Timestamp::from(SystemTime::now() + left)
}

/// A wait for a task met the deadline of its call.
pub(super) fn timed_out(method: &str, task: TaskId) -> FlightError {
    FlightError::timed_out(format!("{method} timed out while waiting for task {task}."))
}

/// A bound or the end of the server stands in the way of a new task.
impl From<Refusal> for FlightError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closed => Self::shutting_down(),
            Refusal::QueueFull => Self::backpressure("Too many calls are waiting. Try again later."),
            Refusal::ShareFull => Self::backpressure("Too many calls of this function are waiting. Try again later."),
            Refusal::OutOfBytes => Self::backpressure("Too many results are waiting to be read. Try again later."),
        }
    }
}

fn cancelled(task: TaskId) -> FlightError {
    let message = format!("The call was cancelled. Its task was: '{task}'.");
    FlightError::new(
        FlightKind::Server,
        ErrorInfo::new(ErrorCode::COMMAND_CANCELLED, message),
    )
}

pub(super) fn no_such_result(id: &str) -> FlightError {
    let message = format!("Unable to serve data for task '{id}'. The task result is not present.");
    FlightError::new(FlightKind::Server, ErrorInfo::new(ErrorCode::INVALID_TICKET, message))
}

fn consumed() -> FlightError {
    let message = "Result data was already consumed or closed.";
    FlightError::new(
        FlightKind::Server,
        ErrorInfo::new(ErrorCode::COMMAND_RESULT_CONSUMED, message),
    )
}
