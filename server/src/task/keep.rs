//! Turns what a task returned into a form that can be sent, and finds a place for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use tokio::task::spawn_blocking;

use super::encoded::Rows;
use super::spilled::SpilledTable;
use super::{FunctionError, Output, Stored, Table};
use crate::error::{ErrorCode, ErrorInfo, FlightKind};
use crate::ipc::EncodedTable;
use crate::memory::{Exceeded, Lease, Region, Room, Spill, SpillError};
use crate::telemetry::Metrics;

/// Tables up to this size are encoded where the call is; larger ones on a thread of their own.
const ENCODE_IN_PLACE: usize = 256 * 1024;

/// Keeps an output for those who will read it. A table stays in memory if it fits, and goes to disk otherwise, if there is
/// a folder.
pub(super) async fn keep(room: &Room, metrics: &Metrics, output: Output) -> Result<Stored, FunctionError> {
    let encoded = match output {
        Output::Stream(stream) => return Stored::stream(stream, room.memory().clone()),
        Output::Table(table) => encode(table).await?,
        Output::Encoded(encoded) => match encoded.into_rows() {
            Rows::Table(table) => table,
            Rows::Stream(stream) => return Ok(Stored::encoded_stream(stream, room.memory().clone())),
        },
    };
    match (room.lease_for_result(encoded.held()), room.spill()) {
        (Ok(lease), _) => Ok(Stored::table(encoded, lease, metrics)),
        // What is held are its headers.
        (Err(_), _) if encoded.on_disk() > 0 => Err(no_room()),
        (Err(memory), None) if memory.is_for_good() => Err(too_large(memory, "server.task_result_bytes")),
        (Err(_), None) => Err(no_room()),
        (Err(memory), Some(spill)) => {
            let spilled = write(encoded, spill.clone(), memory).await?;
            tracing::debug!(bytes = spilled.len(), %memory, "result_spilled");
            Ok(Stored::spilled(spilled, metrics))
        }
    }
}

async fn encode(table: Table) -> Result<EncodedTable, FunctionError> {
    let (schema, batches) = table.into_parts();
    let size: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let encode = move || catch_unwind(AssertUnwindSafe(move || EncodedTable::encode(&schema, batches)));
    let encoded = if size <= ENCODE_IN_PLACE {
        Ok(encode())
    } else {
        spawn_blocking(encode).await
    };
    match encoded {
        Ok(Ok(encoded)) => encoded.map_err(|error| FunctionError::unsendable(&error)),
        Ok(Err(_)) | Err(_) => Err(FunctionError::failed("the result cannot be encoded.")),
    }
}

/// Writes a table that did not fit in `memory`.
async fn write(table: EncodedTable, spill: Spill, memory: Exceeded) -> Result<SpilledTable, FunctionError> {
    let written = spawn_blocking(move || SpilledTable::write(&table, &spill)).await;
    let written = written.map_err(|_| FunctionError::failed("the result could not be written to disk."))?;
    written.map_err(|error| unspilled(error, memory))
}

fn unspilled(error: SpillError, memory: Exceeded) -> FunctionError {
    match error {
        SpillError::Exceeded(disk) if disk.is_for_good() && memory.is_for_good() => {
            too_large(disk, "server.task_spill_bytes")
        }
        SpillError::Exceeded(_) => no_room(),
        error @ SpillError::Io { .. } => not_written(&error),
    }
}

/// Where a result of so many bytes may be put before it is handed over.
///
/// # Errors
/// When it fits nowhere.
pub(crate) fn place(room: &Room, bytes: usize) -> Result<Destination, FunctionError> {
    match (room.lease_for_result(bytes), room.spill()) {
        (Ok(lease), _) => Ok(Destination::Memory { _lease: lease }),
        (Err(memory), None) if memory.is_for_good() => Err(too_large(memory, "server.task_result_bytes")),
        (Err(_), None) => Err(no_room()),
        (Err(memory), Some(spill)) => spill
            .lend(bytes)
            .map(Destination::File)
            .map_err(|error| unspilled(error, memory)),
    }
}

/// Where a result is to be put.
#[derive(Debug)]
pub(crate) enum Destination {
    /// There is room for it, until the lease is dropped.
    Memory { _lease: Lease },
    /// This file is its own.
    File(Region),
}

/// A result that will never fit is the function's problem.
fn too_large(exceeded: Exceeded, setting: &str) -> FunctionError {
    let Exceeded { asked, limit, .. } = exceeded;
    FunctionError::failed(format!(
        "the result has {asked} bytes, and results may have {limit}: ask for less, or raise {setting}."
    ))
}

/// One that does not fit now may be asked for again.
fn no_room() -> FunctionError {
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
