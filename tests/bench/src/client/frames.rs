//! gRPC messages in a stream of bytes that is cut anywhere: how many, how long, how many rows.

use super::header::rows;

const PREFIX: usize = 5;
/// What is kept of a message: enough for the header of a batch of some hundred columns.
const HEAD: usize = 16 << 10;

/// What an answer held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) messages: u64,
    pub(crate) rows: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the answer ends within a message")]
    Truncated,
    #[error("a message is compressed, which was not asked for")]
    Compressed,
    #[error("a message is not the FlightData of a schema, a dictionary or a batch")]
    NotFlightData,
}

/// Counts the messages of one answer as its bytes arrive.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    prefix: [u8; PREFIX],
    prefix_filled: usize,
    remaining: usize,
    head: Vec<u8>,
    totals: Totals,
}

impl Frames {
    /// Takes the next bytes; returns how many messages are whole by now.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<u64, FrameError> {
        while !bytes.is_empty() {
            bytes = if self.prefix_filled < PREFIX {
                self.take_prefix(bytes)?
            } else {
                self.take_body(bytes)
            };
            if self.prefix_filled == PREFIX && self.remaining == 0 {
                self.end_message()?;
            }
        }
        Ok(self.totals.messages)
    }

    /// What the whole answer held.
    pub(crate) fn finish(self) -> Result<Totals, FrameError> {
        if self.prefix_filled == 0 {
            Ok(self.totals)
        } else {
            Err(FrameError::Truncated)
        }
    }

    fn take_prefix<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], FrameError> {
        let count = bytes.len().min(PREFIX - self.prefix_filled);
        let (now, later) = bytes.split_at(count);
        self.prefix[self.prefix_filled..self.prefix_filled + count].copy_from_slice(now);
        self.prefix_filled += count;
        if self.prefix_filled == PREFIX {
            let [flag, length @ ..] = self.prefix;
            if flag != 0 {
                return Err(FrameError::Compressed);
            }
            self.remaining = u32::from_be_bytes(length) as usize;
        }
        Ok(later)
    }

    fn take_body<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (now, later) = bytes.split_at(bytes.len().min(self.remaining));
        self.remaining -= now.len();
        let kept = now.len().min(HEAD - self.head.len());
        self.head.extend_from_slice(&now[..kept]);
        later
    }

    fn end_message(&mut self) -> Result<(), FrameError> {
        self.totals.rows += rows(&self.head).ok_or(FrameError::NotFlightData)?;
        self.totals.messages += 1;
        self.head.clear();
        self.prefix_filled = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow_flight::FlightData;
    use arrow_flight::utils::batches_to_flight_data;
    use flexconnect_bench::{tiny, tiny_schema};
    use prost::Message as _;

    use super::*;

    fn answer() -> Vec<u8> {
        let batches = vec![tiny(0, 10).unwrap(), tiny(10, 7).unwrap()];
        let framed = |message: FlightData| {
            let body = message.encode_to_vec();
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            [&[0], &length[..], &body].concat()
        };
        let messages = batches_to_flight_data(&tiny_schema(), &batches).unwrap();
        messages.into_iter().flat_map(framed).collect()
    }

    #[test]
    fn messages_and_rows_are_counted_however_the_bytes_are_cut() {
        let answer = answer();
        for size in [1, 2, 3, 7, 64, answer.len()] {
            let mut frames = Frames::default();
            for chunk in answer.chunks(size) {
                frames.push(chunk).unwrap();
            }
            assert_eq!(
                frames.finish().unwrap(),
                Totals { messages: 3, rows: 17 },
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn an_answer_that_ends_within_a_message_is_not_whole() {
        let answer = answer();
        let mut frames = Frames::default();
        frames.push(&answer[..answer.len() - 1]).unwrap();
        assert!(matches!(frames.finish(), Err(FrameError::Truncated)));
    }

    #[test]
    fn what_is_not_flight_data_is_told() {
        let mut frames = Frames::default();
        assert!(matches!(
            frames.push(&[0, 0, 0, 0, 2, 0xff, 0xff]),
            Err(FrameError::NotFlightData)
        ));
        assert!(matches!(
            Frames::default().push(&[1, 0, 0, 0, 0]),
            Err(FrameError::Compressed)
        ));
    }
}
