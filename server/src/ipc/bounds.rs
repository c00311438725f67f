//! What a message may claim. Arrow's reader believes much of it: what is not true makes it panic, or take memory that
//! nobody sent.

use arrow::error::ArrowError;
use arrow_ipc::{
    DictionaryBatch, Endianness, Message, MetadataVersion, RecordBatch, Schema, root_as_message_with_opts,
};
use flatbuffers::VerifierOptions;

/// Rows that may take no bytes: nulls, runs, and rows without columns.
const FREE_ROWS: usize = 1 << 24;

/// How often a part of a header may be used on average: what is used twice takes memory twice.
const REUSE: usize = 16;

/// The header of a message.
///
/// # Errors
/// When it is none, or takes much more memory than it has bytes.
pub(super) fn header(bytes: &[u8]) -> Result<Message<'_>, ArrowError> {
    let options = VerifierOptions {
        max_apparent_size: bytes.len().saturating_mul(REUSE),
        ..VerifierOptions::default()
    };
    let message = root_as_message_with_opts(&options, bytes).map_err(|error| {
        let error = error.to_string();
        refused(error.lines().next().unwrap_or_default())
    })?;
    if message.version() < MetadataVersion::V4 {
        return Err(refused("it is written as Arrow did before version 0.8"));
    }
    Ok(message)
}

/// The columns of a message.
///
/// # Errors
/// When the numbers in them are written the other way round.
pub(super) fn columns(schema: Schema<'_>) -> Result<(), ArrowError> {
    if schema.endianness() == Endianness::Little {
        Ok(())
    } else {
        Err(refused("big-endian data are not supported"))
    }
}

/// The rows of a message with a body of so many bytes.
///
/// # Errors
/// When they are more than fit into the body, or parts of the body are used twice.
pub(super) fn rows(batch: RecordBatch<'_>, body: usize) -> Result<(), ArrowError> {
    if batch.compression().is_some() {
        return Err(refused("compressed data are not supported: send them as they are"));
    }
    let most = body.saturating_mul(8).max(FREE_ROWS);
    let lengths = batch.nodes().into_iter().flatten().map(arrow_ipc::FieldNode::length);
    for length in lengths.chain([batch.length()]) {
        if usize::try_from(length).is_ok_and(|length| length > most) || length < 0 {
            return Err(refused(&format!("{length} rows are not in {body} bytes")));
        }
    }
    let mut left = body;
    for buffer in batch.buffers().into_iter().flatten() {
        let [offset, length] = [buffer.offset(), buffer.length()].map(|number| usize::try_from(number).ok());
        let end = offset
            .zip(length)
            .and_then(|(offset, length)| offset.checked_add(length));
        left = end
            .filter(|end| *end <= body)
            .and(length)
            .and_then(|length| left.checked_sub(length))
            .ok_or_else(|| refused("there are buffers outside of its body, or one in another"))?;
    }
    Ok(())
}

/// The values of a dictionary with a body of so many bytes.
///
/// # Errors
/// As those of [`rows`].
pub(super) fn dictionary(batch: DictionaryBatch<'_>, body: usize) -> Result<(), ArrowError> {
    batch.data().map_or(Ok(()), |values| rows(values, body))
}

pub(super) fn refused(reason: &str) -> ArrowError {
    ArrowError::IpcError(reason.to_owned())
}
