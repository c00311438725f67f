//! Turns what a task returned into a form that can be sent.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::task::spawn_blocking;

use super::{FunctionError, Output, Stored};
use crate::memory::Budget;

/// Tables up to this size are encoded where the call is; larger ones on a thread of their own.
const ENCODE_IN_PLACE: usize = 256 * 1024;

/// Keeps an output for those who will read it.
pub(super) async fn keep(budget: &Budget, output: Output) -> Result<Stored, FunctionError> {
    let table = match output {
        Output::Stream(stream) => return Stored::stream(stream),
        Output::Table(table) => table,
    };
    let size: usize = table
        .batches()
        .iter()
        .map(arrow::array::RecordBatch::get_array_memory_size)
        .sum();
    let budget = budget.clone();
    let encode = move || catch_unwind(AssertUnwindSafe(move || Stored::table(table, &budget)));
    let encoded = if size <= ENCODE_IN_PLACE {
        Ok(encode())
    } else {
        spawn_blocking(encode).await
    };
    match encoded {
        Ok(Ok(stored)) => stored,
        Ok(Err(_)) | Err(_) => Err(FunctionError::failed("the result cannot be encoded.")),
    }
}
