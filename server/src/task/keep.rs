//! Turns what a task returned into a form that can be sent, and finds a place for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::spawn_blocking;

use super::spilled::SpilledTable;
use super::{FunctionError, Output, Stored, Table};
use crate::error::{ErrorCode, ErrorInfo, FlightKind};
use crate::ipc::EncodedTable;
use crate::memory::{Exceeded, Room, SpillError};
use crate::telemetry::Metrics;

/// Tables up to this size are encoded where the call is; larger ones on a thread of their own.
const ENCODE_IN_PLACE: usize = 256 * 1024;

/// Keeps an output for those who will read it.
pub(super) async fn keep(room: &Room, metrics: &Metrics, output: Output) -> Result<Stored, FunctionError> {
    let table = match output {
        Output::Stream(stream) => return Stored::stream(stream, room.memory().clone()),
        Output::Table(table) => table,
    };
    let size: usize = table
        .batches()
        .iter()
        .map(arrow::array::RecordBatch::get_array_memory_size)
        .sum();
    let (room, metrics) = (room.clone(), metrics.clone());
    let keep = move || catch_unwind(AssertUnwindSafe(move || keep_table(table, &room, &metrics)));
    let kept = if size <= ENCODE_IN_PLACE {
        Ok(keep())
    } else {
        spawn_blocking(keep).await
    };
    match kept {
        Ok(Ok(stored)) => stored,
        Ok(Err(_)) | Err(_) => Err(FunctionError::failed("the result cannot be encoded.")),
    }
}

/// Encodes a table. It stays in memory if it fits, and goes to disk otherwise, if there is a folder.
fn keep_table(table: Table, room: &Room, metrics: &Metrics) -> Result<Stored, FunctionError> {
    let (schema, batches) = table.into_parts();
    let encoded = EncodedTable::encode(&schema, batches)
        .map_err(|error| FunctionError::failed(format!("the result cannot be sent: {error}")))?;
    let exceeded = match room.lease_for_result(encoded.held()) {
        Ok(lease) => return Ok(Stored::table(encoded, lease, metrics)),
        Err(exceeded) => exceeded,
    };
    let Some(spill) = room.spill() else {
        return Err(no_room(exceeded));
    };
    let spilled = SpilledTable::write(&encoded, spill).map_err(|error| match error {
        SpillError::Exceeded(exceeded) => no_room(exceeded),
        error @ SpillError::Io { .. } => not_written(&error),
    })?;
    tracing::debug!(bytes = spilled.len(), memory = %exceeded, "result_spilled");
    Ok(Stored::spilled(spilled, metrics))
}

/// A result that will never fit is the function's problem; one that does not fit now may be asked for again.
fn no_room(exceeded: Exceeded) -> FunctionError {
    if exceeded.is_for_good() {
        let Exceeded { asked, limit, .. } = exceeded;
        return FunctionError::failed(format!(
            "the result has {asked} bytes, and results may have {limit}: ask for less, or raise server.task_result_bytes."
        ));
    }
    let message = "There is no room for the result until others are read. Try again later.";
    FunctionError::flight(
        FlightKind::Unavailable,
        ErrorInfo::new(ErrorCode::BACKPRESSURE, message),
    )
}

/// The folder and what the system says are for the log.
fn not_written(error: &SpillError) -> FunctionError {
    tracing::error!(error = %crate::telemetry::chain(error), "result_not_spilled");
    FunctionError::failed("the result does not fit in memory and could not be written to disk.")
}
