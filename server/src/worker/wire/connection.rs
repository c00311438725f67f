//! The socket: packets go and come whole, each with one descriptor at most.

use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    recvmsg, sendmsg, socket_with, sockopt,
};
use serde::Serialize;
use tokio::io::unix::AsyncFd;

use super::frame::{self, LARGEST, Malformed, Packet};
use super::mapped;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// What the kernel says of a socket of another type.
const PROTOTYPE: i32 = rustix::io::Errno::PROTOTYPE.raw_os_error();

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub(in crate::worker) enum WireError {
    /// The other side is gone.
    #[error("the connection to the Python side is closed")]
    Closed,
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the connection to the Python side failed")]
    Io(#[from] io::Error),
}

/// A connection to host, worker or slot.
#[derive(Debug)]
pub(in crate::worker) struct Connection(AsyncFd<OwnedFd>);

/// Where they connect to.
#[derive(Debug)]
pub(in crate::worker) struct Listener(AsyncFd<OwnedFd>);

impl Listener {
    /// Listens on a path that nobody else listens on, for those whom the file mode lets.
    pub(in crate::worker) fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        // Before anybody can connect, which takes one who listens.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        listen(&socket, BACKLOG)?;
        Ok(Self(watched(socket)?))
    }

    /// Whether somebody listens on a path.
    pub(in crate::worker) fn is_taken(path: &Path) -> io::Result<bool> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        match connect(&socket, &SocketAddrUnix::new(path)?).map_err(io::Error::from) {
            Ok(()) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
                // Its queue is full, or it speaks another way.
                io::ErrorKind::WouldBlock => Ok(true),
                _ if error.raw_os_error() == Some(PROTOTYPE) => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// The next connection.
    pub(in crate::worker) async fn accept(&self) -> io::Result<Connection> {
        loop {
            let mut ready = self.0.readable().await?;
            let accepted = ready.try_io(|socket| Ok(accept_with(socket.get_ref(), FLAGS)?));
            match accepted {
                Ok(socket) => return Ok(Connection(watched(socket?)?)),
                Err(_would_block) => {}
            }
        }
    }
}

impl Connection {
    /// The process on the other side.
    pub(in crate::worker) fn process(&self) -> io::Result<i32> {
        Ok(sockopt::socket_peercred(self.0.get_ref())?.pid.as_raw_nonzero().get())
    }

    /// Sends a packet, its body in shared memory when it is large.
    pub(in crate::worker) async fn send(&self, head: &impl Serialize, body: &[u8]) -> Result<(), WireError> {
        let (packet, memory) = match frame::pack(head, body)? {
            Some(packet) => (packet, None),
            None => (frame::pack_without(head, body.len())?, Some(mapped::sealed(body)?)),
        };
        self.pass(&packet, memory.as_ref()).await
    }

    /// Sends a packet and a descriptor, which is not its body.
    pub(in crate::worker) async fn send_along(&self, head: &impl Serialize, file: &OwnedFd) -> Result<(), WireError> {
        let packet = frame::pack(head, b"")?;
        let packet = packet.ok_or_else(|| Malformed::new("a head that does not fit into a packet"))?;
        self.pass(&packet, Some(file)).await
    }

    async fn pass(&self, packet: &[u8], descriptor: Option<&OwnedFd>) -> Result<(), WireError> {
        let descriptor = descriptor.map(OwnedFd::as_fd);
        loop {
            // Nearly always there is room.
            match self.0.try_io(tokio::io::Interest::WRITABLE, |socket| {
                send_now(socket.as_fd(), packet, descriptor)
            }) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(gone(error)),
            }
            drop(self.0.writable().await?);
        }
    }

    /// The next packet. Nothing is lost when the future is dropped.
    pub(in crate::worker) async fn recv(&self) -> Result<Packet, WireError> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|socket| receive_now(socket.as_fd())) {
                Ok(received) => {
                    let (mut packet, memory) = received.map_err(gone)??;
                    match (packet.body_elsewhere()?, memory) {
                        (None, None) => {}
                        (Some(size), Some(memory)) if packet.body.is_empty() => {
                            packet.body = mapped::map(memory, size)?;
                        }
                        (Some(_), _) | (None, Some(_)) => {
                            let what = "a body that is not where its head says";
                            return Err(Malformed::new(what).into());
                        }
                    }
                    return Ok(packet);
                }
                Err(_would_block) => {}
            }
        }
    }
}

/// A connection, and its other end as it is.
#[cfg(feature = "fuzzing")]
pub(super) fn fuzz_pair() -> io::Result<(OwnedFd, Connection)> {
    let (there, here) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
    Ok((there, Connection(watched(here)?)))
}

/// A socket to be woken by.
#[expect(
    deprecated,
    reason = "sound for a descriptor that is owned: it stays the one that was registered"
)]
fn watched(socket: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(socket)
}

/// A side that ends while it is spoken to is gone as well.
fn gone(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::NotConnected => WireError::Closed,
        _ => WireError::Io(error),
    }
}

fn send_now(socket: BorrowedFd<'_>, packet: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if let Some(descriptor) = &descriptor {
        ancillary.push(SendAncillaryMessage::ScmRights(std::slice::from_ref(descriptor)));
    }
    sendmsg(socket, &[IoSlice::new(packet)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

type Received = Result<(Packet, Option<OwnedFd>), Malformed>;

fn receive_now(socket: BorrowedFd<'_>) -> io::Result<Received> {
    thread_local! {
        /// Where packets arrive; what is kept of one is copied out.
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    ROOM.with_borrow_mut(|room| {
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(room)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT,
        )?;
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        if received.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) || descriptors.len() > 1 {
            return Ok(Err(Malformed::new(
                "a packet that is too long, or has several descriptors",
            )));
        }
        Ok(Packet::parse(&room[..received.bytes]).map(|packet| (packet, descriptors.pop())))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Both ends of a connection.
    async fn pair() -> (Connection, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = Listener::bind(&path, 0o600).unwrap();
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None).unwrap();
        rustix::net::connect(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        (listener.accept().await.unwrap(), Connection(watched(socket).unwrap()))
    }

    #[tokio::test]
    async fn bodies_arrive_however_large_they_are() {
        let (here, there) = pair().await;
        for size in [0, 1, frame::INLINE, frame::INLINE + 1, 3_000_000] {
            let body: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            here.send(&json!({"op": "table"}), &body).await.unwrap();
            let packet = there.recv().await.unwrap();
            assert_eq!(packet.read::<Value>().unwrap()["op"], "table");
            assert_eq!(packet.body, body);
        }
        assert_eq!(
            there.process().unwrap(),
            rustix::process::getpid().as_raw_nonzero().get()
        );
    }

    #[tokio::test]
    async fn a_body_must_be_where_its_head_says() {
        let (here, there) = pair().await;
        here.send(&json!({"op": "table", "body": 5}), b"inline").await.unwrap();
        assert!(matches!(there.recv().await, Err(WireError::Malformed(_))));
    }

    #[tokio::test]
    async fn the_end_of_the_other_side_is_told() {
        let (here, there) = pair().await;
        drop(there);
        assert!(matches!(here.recv().await, Err(WireError::Closed)));
        assert!(matches!(here.send(&json!({}), b"").await, Err(WireError::Closed)));
    }
}
