//! Makes messages that can be kept out of buffers that belong to arrays.
//!
//! Large buffers are shared, small ones are copied next to each other: a segment of its own costs more than copying it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use arrow::buffer::Buffer;
use bytes::{Bytes, BytesMut};

use super::Message;
use super::cut::Encoded;

/// A message whose body is not larger lies in one piece of memory, header included.
pub(super) const SMALL_MESSAGE: usize = 16 * 1024;

/// A buffer that is not larger joins its neighbours.
const SMALL_BUFFER: usize = 4 * 1024;

/// What keeping a message takes beside its bytes, about.
pub(super) const MESSAGE_OVERHEAD: usize = 128;

/// The message, sharing its large buffers with the arrays.
pub(super) fn pack(encoded: Encoded) -> Message {
    let Encoded {
        header,
        body,
        body_len,
        rows,
    } = encoded;
    if body_len <= SMALL_MESSAGE {
        return in_one_piece(&header, &body, body_len, rows);
    }
    let mut segments = Vec::with_capacity(body.len());
    let mut joined = BytesMut::new();
    for buffer in body {
        if buffer.len() <= SMALL_BUFFER {
            joined.extend_from_slice(&buffer);
        } else {
            segments.push(joined.split().freeze());
            segments.push(Bytes::from(buffer));
        }
    }
    segments.push(joined.freeze());
    Message {
        header: Bytes::copy_from_slice(&header),
        body: segments.into_iter().collect(),
        app_metadata: Bytes::new(),
        rows,
    }
}

fn in_one_piece(header: &[u8], body: &[Buffer], body_len: usize, rows: usize) -> Message {
    let mut bytes = BytesMut::with_capacity(header.len() + body_len);
    bytes.extend_from_slice(header);
    for buffer in body {
        bytes.extend_from_slice(buffer);
    }
    let mut header = bytes.freeze();
    let body = header.split_off(header.len() - body_len);
    Message {
        header,
        body: body.into(),
        app_metadata: Bytes::new(),
        rows,
    }
}

/// Messages that are kept, and the bytes they keep alive. The arrays they come from must be gone, so that what a function
/// allocated and did not fill can be given back.
///
/// A buffer that shows only a part of its memory (a slice of a large array, say) would keep all of it: it is copied when
/// that is worth it.
pub(super) fn keep(mut encoded: Vec<Encoded>) -> (Vec<Message>, usize) {
    for message in encoded.iter_mut().filter(|message| message.body_len > SMALL_MESSAGE) {
        message.body.iter_mut().for_each(Buffer::shrink_to_fit);
    }
    let memory = Memory::of(&encoded);
    let mut held = 0;
    for message in &mut encoded {
        held += MESSAGE_OVERHEAD + message.header.len() + message.body_len;
        if message.body_len <= SMALL_MESSAGE {
            continue;
        }
        for buffer in &mut message.body {
            if buffer.len() > SMALL_BUFFER && memory.is_wasted_on(buffer) {
                *buffer = Buffer::from(buffer.as_slice());
            }
        }
    }
    held += memory.unseen();
    (encoded.into_iter().map(pack).collect(), held)
}

/// The memory behind buffers that would be shared, by its address.
struct Memory(HashMap<usize, Allocation>);

struct Allocation {
    capacity: usize,
    /// Bytes of it that messages show. Parts shown twice count twice.
    shown: usize,
}

impl Allocation {
    const fn is_wasted(&self) -> bool {
        self.shown < self.capacity - self.capacity / 4
    }
}

impl Memory {
    fn of(encoded: &[Encoded]) -> Self {
        let mut allocations = HashMap::new();
        let shared = encoded.iter().filter(|message| message.body_len > SMALL_MESSAGE);
        let shared = shared.flat_map(|message| &message.body);
        for buffer in shared.filter(|buffer| buffer.len() > SMALL_BUFFER) {
            match allocations.entry(address(buffer)) {
                Entry::Vacant(entry) => {
                    entry.insert(Allocation {
                        capacity: buffer.capacity(),
                        shown: buffer.len(),
                    });
                }
                Entry::Occupied(mut entry) => entry.get_mut().shown += buffer.len(),
            }
        }
        Self(allocations)
    }

    fn is_wasted_on(&self, buffer: &Buffer) -> bool {
        self.0.get(&address(buffer)).is_some_and(Allocation::is_wasted)
    }

    /// Bytes that sharing keeps although no message shows them.
    fn unseen(&self) -> usize {
        let kept = self.0.values().filter(|allocation| !allocation.is_wasted());
        kept.map(|allocation| allocation.capacity.saturating_sub(allocation.shown))
            .sum()
    }
}

fn address(buffer: &Buffer) -> usize {
    buffer.data_ptr().as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(body: Vec<Buffer>) -> Encoded {
        Encoded {
            header: Buffer::from(b"header"),
            body_len: body.iter().map(Buffer::len).sum(),
            body,
            rows: 0,
        }
    }

    fn large(byte: u8) -> Buffer {
        Buffer::from(vec![byte; 64 * 1024])
    }

    #[test]
    fn a_small_message_is_one_piece() {
        let message = pack(encoded(vec![Buffer::from(b"ab"), Buffer::from(b"cd")]));
        assert_eq!(
            (&message.header[..], &message.body.segments()[0][..]),
            (&b"header"[..], &b"abcd"[..])
        );
        assert_eq!(
            message.header.as_ptr().wrapping_add(6),
            message.body.segments()[0].as_ptr()
        );
    }

    #[test]
    fn large_buffers_are_shared_and_small_ones_joined() {
        let (first, last) = (large(1), large(2));
        let places = [first.as_ptr(), last.as_ptr()];
        let message = pack(encoded(vec![first, Buffer::from(b"ab"), Buffer::from(b"cd"), last]));
        let segments = message.body.segments();
        assert_eq!(segments.len(), 3);
        assert_eq!([segments[0].as_ptr(), segments[2].as_ptr()], places);
        assert_eq!(segments[1], &b"abcd"[..]);
    }

    #[test]
    fn memory_that_was_not_filled_is_given_back() {
        let mut half_full = Vec::with_capacity(1 << 20);
        half_full.resize(1 << 19, 7_u8);
        let (messages, held) = keep(vec![encoded(vec![Buffer::from_vec(half_full)])]);
        assert_eq!(messages[0].body.len(), 1 << 19);
        assert!(held < (1 << 19) + 1024, "{held} bytes");
    }

    #[test]
    fn a_slice_lets_go_of_the_rest() {
        let whole = Buffer::from(vec![7_u8; 1 << 20]);
        let slice = whole.slice_with_length(1 << 19, 64 * 1024);
        let place = slice.as_ptr();
        let (messages, held) = keep(vec![encoded(vec![slice])]);
        assert_ne!(messages[0].body.segments()[0].as_ptr(), place);
        assert!(held < 65 * 1024, "{held} bytes");
    }

    #[test]
    fn slices_that_make_up_their_memory_share_it() {
        let whole = Buffer::from(vec![7_u8; 1 << 20]);
        let slices = [0, 1].map(|half| whole.slice_with_length(half << 19, 1 << 19));
        let places = slices.each_ref().map(Buffer::as_ptr);
        drop(whole);
        let (messages, held) = keep(slices.map(|slice| encoded(vec![slice])).into());
        for (message, place) in messages.iter().zip(places) {
            assert_eq!(message.body.segments()[0].as_ptr(), place);
        }
        assert!(held < (1 << 20) + 1024, "{held} bytes");
    }
}
