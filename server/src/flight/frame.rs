//! `FlightData` on the wire, but for the bytes that are sent as they are.
//!
//! A gRPC message is a flag, a length of four bytes, and the protobuf message. Of that the body of the Arrow message comes
//! last and is by far the largest; everything before it is the head.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::ipc::Message;

/// Protobuf tags, field number and wire type (2: bytes of a given length).
const DATA_HEADER: u64 = 2 << 3 | 2;
const APP_METADATA: u64 = 3 << 3 | 2;
const DATA_BODY: u64 = 1000 << 3 | 2;

/// The message is not compressed.
const PLAIN: u8 = 0;

/// The message is longer than gRPC can say (4 GiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of the result is over 4 GiB")]
pub(super) struct TooLong;

/// Writes everything of a message that comes before the bytes of its body.
pub(super) fn put_head(out: &mut BytesMut, message: &Message) -> Result<(), TooLong> {
    let Message {
        header,
        body,
        app_metadata,
        rows: _,
    } = message;
    let len = field_len(DATA_HEADER, header.len())
        + field_len(APP_METADATA, app_metadata.len())
        + field_len(DATA_BODY, body.len());
    let len = u32::try_from(len).map_err(|_| TooLong)?;
    out.reserve(head_len(message));
    out.put_u8(PLAIN);
    out.put_u32(len);
    put_bytes(out, DATA_HEADER, header);
    put_bytes(out, APP_METADATA, app_metadata);
    if !body.is_empty() {
        put_varint(out, DATA_BODY);
        put_varint(out, body.len() as u64);
    }
    Ok(())
}

/// An upper bound of what [`put_head`] writes.
fn head_len(message: &Message) -> usize {
    const PREFIX: usize = 5;
    const TAGS_AND_LENGTHS: usize = 3 * 12;
    PREFIX + TAGS_AND_LENGTHS + message.header.len() + message.app_metadata.len()
}

/// What a field takes. Empty ones are left out.
const fn field_len(tag: u64, len: usize) -> usize {
    if len == 0 {
        0
    } else {
        varint_len(tag) + varint_len(len as u64) + len
    }
}

fn put_bytes(out: &mut BytesMut, tag: u64, bytes: &Bytes) {
    if !bytes.is_empty() {
        put_varint(out, tag);
        put_varint(out, bytes.len() as u64);
        out.put_slice(bytes);
    }
}

/// Seven bits a byte, the lowest first; the high bit says that more follow.
#[expect(clippy::cast_possible_truncation, reason = "the low byte is what is meant")]
fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value > 0x7f {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

const fn varint_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[cfg(test)]
mod tests {
    use arrow_flight::FlightData;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn bytes(limit: usize) -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..limit).prop_map(Bytes::from)
    }

    proptest! {
        #[test]
        fn it_is_what_protobuf_says(header in bytes(300), app_metadata in bytes(200), body in prop::collection::vec(bytes(20_000), 0..3)) {
            let message = Message { header, body: body.into_iter().collect(), app_metadata, rows: 0 };
            let mut framed = BytesMut::new();
            put_head(&mut framed, &message).expect("short");
            prop_assert!(framed.len() <= head_len(&message));
            for segment in message.body.segments() {
                framed.extend_from_slice(segment);
            }
            let expected = FlightData {
                data_header: message.header.clone(),
                app_metadata: message.app_metadata.clone(),
                data_body: message.body.segments().concat().into(),
                ..FlightData::default()
            };
            let expected = expected.encode_to_vec();
            prop_assert_eq!(framed[0], PLAIN);
            prop_assert_eq!(u32::from_be_bytes([framed[1], framed[2], framed[3], framed[4]]) as usize, expected.len());
            prop_assert_eq!(&framed[5..], &expected[..]);
        }

        #[test]
        fn lengths_of_numbers_are_right(value: u64) {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
        }
    }

    #[test]
    fn zero_takes_a_byte() {
        assert_eq!(
            (varint_len(0), varint_len(127), varint_len(128), varint_len(u64::MAX)),
            (1, 1, 2, 10)
        );
    }
}
