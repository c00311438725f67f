//! How a packet is made: the length of its head, the head, the body. Pure, and nothing is believed.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Bytes of a packet.
pub(super) const LARGEST: usize = 65_536;

/// Bytes of a body that lies in its packet.
pub(super) const INLINE: usize = 32_768;

/// Bytes of JSON in a body: far more than thousands of functions take to describe.
const LARGEST_JSON: usize = 32 << 20;

/// The length of the head.
const PREFIX: usize = size_of::<u32>();

/// A packet that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::worker) struct Packet {
    pub(super) head: Bytes,
    pub(in crate::worker) body: Bytes,
}

/// The other side does not speak as it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Python side broke the protocol: {0}")]
pub(in crate::worker) struct Malformed(pub(in crate::worker) String);

impl Malformed {
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl Packet {
    /// Cuts a packet; a body in shared memory is put in later.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (length, rest) = bytes
            .split_first_chunk()
            .ok_or_else(|| Malformed::new("a packet without the length of its head"))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (head, body) = rest
            .split_at_checked(length)
            .ok_or_else(|| Malformed::new("a packet that is shorter than its head"))?;
        Ok(Self {
            head: Bytes::copy_from_slice(head),
            body: Bytes::copy_from_slice(body),
        })
    }

    /// Bytes of the body in shared memory, if the head says that it is there.
    pub(super) fn body_elsewhere(&self) -> Result<Option<u64>, Malformed> {
        #[derive(Deserialize)]
        struct Declared {
            body: Option<u64>,
        }
        self.read::<Declared>().map(|declared| declared.body)
    }

    /// What the head says.
    pub(in crate::worker) fn read<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        serde_json::from_slice(&self.head).map_err(Malformed::new)
    }

    /// What a body of JSON says. Read, it takes several times the memory.
    pub(in crate::worker) fn read_body<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        if self.body.len() > LARGEST_JSON {
            return Err(Malformed::new(format_args!(
                "a body of {} bytes of JSON",
                self.body.len()
            )));
        }
        serde_json::from_slice(&self.body).map_err(Malformed::new)
    }
}

/// A packet with its body, or `None` when the body has to go elsewhere.
pub(super) fn pack(head: &impl Serialize, body: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut packet = begin(head)?;
    if body.len() > INLINE || packet.len() + body.len() > LARGEST {
        return Ok(None);
    }
    packet.extend_from_slice(body);
    Ok(Some(packet))
}

/// A packet whose body, of so many bytes, is passed along.
pub(super) fn pack_without(head: &impl Serialize, body: usize) -> Result<Vec<u8>, Malformed> {
    #[derive(Serialize)]
    struct WithBody<'a, H> {
        #[serde(flatten)]
        head: &'a H,
        body: usize,
    }
    let packet = begin(&WithBody { head, body })?;
    if packet.len() > LARGEST {
        return Err(Malformed::new("a head that does not fit into a packet"));
    }
    Ok(packet)
}

fn begin(head: &impl Serialize) -> Result<Vec<u8>, Malformed> {
    let mut packet = Vec::with_capacity(512);
    packet.extend_from_slice(&[0; PREFIX]);
    serde_json::to_writer(&mut packet, head).map_err(Malformed::new)?;
    let length = u32::try_from(packet.len() - PREFIX).map_err(Malformed::new)?;
    packet[..PREFIX].copy_from_slice(&length.to_le_bytes());
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::{FromHost, FromSlot, FromWorker, Greeting};
    use super::*;

    #[test]
    fn packets_read_back() {
        let head = json!({"op": "call", "task": "7"});
        let packet = Packet::parse(&pack(&head, b"body").unwrap().expect("small")).unwrap();
        assert_eq!(
            (packet.read::<Value>().unwrap(), &packet.body[..]),
            (head.clone(), &b"body"[..])
        );
        assert_eq!(packet.body_elsewhere(), Ok(None));
        assert_eq!(pack(&head, &vec![0; INLINE + 1]), Ok(None));
        let packet = Packet::parse(&pack_without(&head, 1 << 30).unwrap()).unwrap();
        assert_eq!((packet.body_elsewhere(), packet.body.len()), (Ok(Some(1 << 30)), 0));
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        for bytes in [&b""[..], b"\x01\x00", b"\x02\x00\x00\x00{", b"\xff\xff\xff\xff{}"] {
            assert!(Packet::parse(bytes).is_err(), "{bytes:?}");
        }
        let packet = Packet::parse(b"\x02\x00\x00\x00{}").unwrap();
        assert!(packet.read::<FromSlot>().is_err(), "no op");
    }

    proptest! {
        #[test]
        fn nothing_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let _ = (packet.read::<Greeting>(), packet.read::<FromHost>());
                let _ = (packet.read::<FromWorker>(), packet.read::<FromSlot>(), packet.body_elsewhere());
            }
        }
    }
}
