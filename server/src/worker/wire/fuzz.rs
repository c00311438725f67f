//! Packets from somebody who can send anything: bytes, and descriptors beside them.

use std::fs::File;
use std::io::{IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::connection::fuzz_pair;
use super::frame::{Packet, pack_without};
use super::{WireError, mapped};

/// What is passed along.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) enum Along {
    Nothing,
    /// The bytes after the head, and the head says how many they are.
    Sealed,
    Unsealed,
    Pipe,
    Two,
}

/// The packet that arrives.
pub(in crate::worker) async fn through_a_socket(bytes: &[u8], along: Along) -> Result<Packet, WireError> {
    let (there, here) = fuzz_pair()?;
    let (packet, descriptors) = made_of(bytes, along)?;
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(OwnedFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    }
    let sent = sendmsg(&there, &[IoSlice::new(&packet)], &mut ancillary, SendFlags::NOSIGNAL);
    sent.map_err(std::io::Error::from)?;
    drop(there);
    here.recv().await
}

fn made_of(bytes: &[u8], along: Along) -> Result<(Vec<u8>, Vec<OwnedFd>), WireError> {
    let unsealed = || -> Result<OwnedFd, WireError> {
        let memory = memfd_create("fuzz", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
        let mut file = File::from(memory.map_err(std::io::Error::from)?);
        file.write_all(bytes)?;
        Ok(file.into())
    };
    Ok(match along {
        Along::Nothing => (bytes.to_vec(), Vec::new()),
        Along::Sealed => match Packet::parse(bytes).map(|packet| (packet.read::<serde_json::Value>(), packet.body)) {
            Ok((Ok(head), body)) if head.is_object() => {
                (pack_without(&head, body.len())?, vec![mapped::sealed(&body)?])
            }
            Ok(_) | Err(_) => (bytes.to_vec(), vec![mapped::sealed(bytes)?]),
        },
        Along::Unsealed => (bytes.to_vec(), vec![unsealed()?]),
        Along::Pipe => (bytes.to_vec(), vec![std::io::pipe()?.0.into()]),
        Along::Two => (bytes.to_vec(), vec![unsealed()?, unsealed()?]),
    })
}
