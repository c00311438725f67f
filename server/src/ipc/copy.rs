//! Small batches as messages: their buffers are copied next to each other, which costs less than sharing them.

use std::cell::RefCell;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};

use super::cut::Encoded;
use super::pack::SMALL_MESSAGE;

/// What encoding a batch takes beside the batch.
struct Tools {
    options: IpcWriteOptions,
    context: IpcWriteContext,
    no_dictionaries: DictionaryTracker,
}

thread_local! {
    static TOOLS: RefCell<Tools> = RefCell::new(Tools {
        options: IpcWriteOptions::default(),
        context: IpcWriteContext::default(),
        no_dictionaries: DictionaryTracker::new(false),
    });
}

/// Whether the message of a batch is small enough to be copied.
pub(super) fn is_small(batch: &RecordBatch) -> bool {
    // The whole memory of the arrays is known at once; of a slice only a part of it counts.
    batch.get_array_memory_size() <= SMALL_MESSAGE || shown(batch) <= SMALL_MESSAGE
}

/// Bytes of the arrays that the batch shows.
fn shown(batch: &RecordBatch) -> usize {
    batch
        .columns()
        .iter()
        .map(|column| column.to_data().get_slice_memory_size().unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add)
}

/// The message of a batch without dictionaries.
///
/// # Errors
/// When a column cannot be sent.
pub(super) fn copy(batch: &RecordBatch) -> Result<Encoded, ArrowError> {
    let encoded = TOOLS.with_borrow_mut(|tools| {
        let generator = IpcDataGenerator::default();
        generator.encode(batch, &mut tools.no_dictionaries, &tools.options, &mut tools.context)
    });
    let (_, encoded) = encoded?;
    Ok(Encoded {
        body_len: encoded.arrow_data.len(),
        header: Buffer::from_vec(encoded.ipc_message),
        body: vec![Buffer::from_vec(encoded.arrow_data)],
        rows: batch.num_rows(),
    })
}
