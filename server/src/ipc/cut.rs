//! Cuts what arrow-ipc's stream encoder writes into messages.
//!
//! The encoder is the part of arrow-ipc that hands out the arrays' own buffers. It writes a stream as files have it: before
//! each message a marker and a length, which Flight does not want.

use std::vec;

use arrow::buffer::Buffer;
use arrow::error::ArrowError;

/// The marker before a message and its length.
const PREFIX: usize = 8;

/// A message whose buffers are still those of the arrays.
#[derive(Debug)]
pub(super) struct Encoded {
    /// The flatbuffer.
    pub(super) header: Buffer,
    /// The buffers and their padding, none of them empty.
    pub(super) body: Vec<Buffer>,
    /// Bytes in the body.
    pub(super) body_len: usize,
    /// Rows of a batch; none in a dictionary.
    pub(super) rows: usize,
}

/// The messages in a piece of a stream, which must begin and end between two messages. Their rows are not counted.
///
/// # Errors
/// When the piece is not made of whole messages.
pub(super) fn cut(stream: Vec<Buffer>) -> Result<Vec<Encoded>, ArrowError> {
    let mut stream = Pieces(stream.into_iter());
    let mut messages = Vec::with_capacity(1);
    while let Some(prefix) = stream.next() {
        let padded = match prefix.as_slice() {
            [0xff, 0xff, 0xff, 0xff, length @ ..] if prefix.len() == PREFIX => {
                length.try_into().map(u32::from_le_bytes).map_err(|_| broken())?
            }
            _ => return Err(broken()),
        };
        let header = stream.next().ok_or_else(broken)?;
        let padding = (padded as usize).checked_sub(header.len()).ok_or_else(broken)?;
        stream.take(padding)?;
        let body_len = arrow_ipc::root_as_message(&header)
            .map_err(|error| ArrowError::IpcError(error.to_string()))?
            .bodyLength();
        let body_len = usize::try_from(body_len).map_err(|_| broken())?;
        let body = stream.take(body_len)?;
        messages.push(Encoded {
            header,
            body,
            body_len,
            rows: 0,
        });
    }
    Ok(messages)
}

/// Buffers in order; empty ones carry nothing and are skipped.
struct Pieces(vec::IntoIter<Buffer>);

impl Pieces {
    fn next(&mut self) -> Option<Buffer> {
        self.0.find(|buffer| !buffer.is_empty())
    }

    /// The next buffers, exactly so many bytes.
    fn take(&mut self, bytes: usize) -> Result<Vec<Buffer>, ArrowError> {
        let mut taken = Vec::new();
        let mut left = bytes;
        while left > 0 {
            let buffer = self.next().ok_or_else(broken)?;
            left = left.checked_sub(buffer.len()).ok_or_else(broken)?;
            taken.push(buffer);
        }
        Ok(taken)
    }
}

fn broken() -> ArrowError {
    ArrowError::IpcError("the encoder did not write whole messages".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused() {
        let cases: [&[&[u8]]; 4] = [
            &[b"message"],
            &[&[0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0]],
            &[&[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0], b"too long"],
            &[&[0xff, 0xff, 0xff, 0xff, 8, 0, 0, 0], b"no table"],
        ];
        for case in cases {
            let stream = case.iter().map(|&bytes| Buffer::from(bytes)).collect();
            cut(stream).expect_err("no messages");
        }
    }
}
