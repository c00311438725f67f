use std::pin::pin;
use std::task::Waker;

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;

use super::*;

/// Takes as many bytes as it is told to, call by call; `0` is "not now".
#[derive(Default)]
struct Socket {
    appetite: Vec<usize>,
    received: Vec<u8>,
    /// The slices of each write, by their addresses.
    writes: Vec<Vec<*const u8>>,
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = self.appetite.pop().unwrap_or(usize::MAX);
        if taken == 0 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.writes.push(slices.iter().map(|slice| slice.as_ptr()).collect());
        let before = self.received.len();
        for slice in slices {
            let left = taken - (self.received.len() - before);
            self.received.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        Poll::Ready(Ok(self.received.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn bytes(len: usize) -> Bytes {
    (0..=u8::MAX).cycle().take(len).collect()
}

/// A body that hands over these buffers.
struct Buffers(Vec<Bytes>);

impl Body for Buffers {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(self.0.pop().map(|buffer| Ok(Frame::data(buffer))))
    }
}

#[tokio::test]
async fn small_frames_leave_in_one_write_when_there_is_nothing_more_to_say() {
    let (mut gathered, outlet) = gather(Socket::default(), Notices::default());
    let mut said = false;
    let writer = async {
        for frame in [&b"headers"[..], b"data", b"trailers"] {
            gathered.write_all(frame).await.unwrap();
            gathered.flush().await.unwrap();
        }
        tokio::task::yield_now().await;
        said = true;
    };
    outlet.drive(pin!(writer)).await;
    assert!(said);
    let inside = lock(&outlet.0);
    assert_eq!(
        (&inside.io.received[..], inside.io.writes.len()),
        (&b"headersdatatrailers"[..], 1)
    );
}

#[tokio::test]
async fn frames_of_announced_buffers_are_gathered_without_a_copy() {
    let buffer = bytes(10 * 16 * 1024);
    let notices = Notices::default();
    let mut body = Announced::new(Buffers(vec![buffer.clone()]), &notices);
    body.frame().await.unwrap().unwrap();
    let (mut gathered, outlet) = gather(Socket::default(), notices.clone());
    for frame in buffer.chunks(16 * 1024) {
        let written = gathered
            .write_vectored(&[IoSlice::new(b"head"), IoSlice::new(frame)])
            .await;
        assert_eq!(written.unwrap(), 4 + frame.len());
    }
    assert!(
        notices.find(&buffer[..5000]).is_none(),
        "the notice ends with the buffer"
    );
    gathered.shutdown().await.unwrap();
    let inside = lock(&outlet.0);
    let expected: Vec<_> = buffer.chunks(16 * 1024).map(<[u8]>::as_ptr).collect();
    let [write] = &inside.io.writes[..] else {
        panic!("{} writes", inside.io.writes.len())
    };
    assert_eq!(write.iter().copied().skip(1).step_by(2).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_large_frame_is_not_held_back() {
    let (mut gathered, outlet) = gather(Socket::default(), Notices::default());
    let frame = bytes(1 << 20);
    gathered.write_all(b"before").await.unwrap();
    let written = gathered
        .write_vectored(&[IoSlice::new(b"head"), IoSlice::new(&frame)])
        .await;
    assert_eq!(written.unwrap(), 4 + frame.len());
    let inside = lock(&outlet.0);
    assert_eq!(inside.io.received.len(), 6 + 4 + frame.len());
    assert_eq!(inside.io.writes[0].last(), Some(&frame.as_ptr()));
}

#[tokio::test]
async fn a_connection_that_has_said_much_and_is_silent_keeps_little() {
    let (mut gathered, outlet) = gather(Socket::default(), Notices::default());
    let writer = async {
        gathered.write_all(&bytes(200 * 1024)).await.unwrap();
        assert!(lock(&outlet.0).queue.room() >= 200 * 1024, "it was gathered");
        tokio::task::yield_now().await;
    };
    outlet.drive(pin!(writer)).await;
    let inside = lock(&outlet.0);
    assert_eq!(inside.io.received.len(), 200 * 1024);
    assert!(inside.queue.room() <= 16 * 1024, "{} bytes", inside.queue.room());
}

#[tokio::test]
async fn notices_end_with_their_body() {
    let buffer = bytes(64 * 1024);
    let notices = Notices::default();
    let mut body = Announced::new(Buffers(vec![buffer.clone()]), &notices);
    body.frame().await.unwrap().unwrap();
    assert!(notices.find(&buffer[..5000]).is_some());
    drop(body);
    assert!(notices.find(&buffer[..5000]).is_none());
}

#[tokio::test]
async fn an_error_that_nobody_waited_for_is_told_to_the_next_who_asks() {
    struct Broken;
    impl AsyncWrite for Broken {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    let (mut gathered, outlet) = gather(Broken, Notices::default());
    let writer = async {
        gathered.write_all(b"frame").await.unwrap();
        tokio::task::yield_now().await;
        gathered.flush().await
    };
    let error = outlet.drive(pin!(writer)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

proptest! {
    #[test]
    fn what_is_written_arrives(
        lengths in prop::collection::vec(prop_oneof![0_usize..100, 0_usize..20_000, 0_usize..400_000], 0..20),
        announced: bool,
        appetite in prop::collection::vec(prop_oneof![Just(0), 1_usize..10, 1_usize..100_000], 0..40),
    ) {
        let buffers: Vec<_> = lengths.into_iter().map(bytes).collect();
        let notices = Notices::default();
        let mut body = Announced::new(Buffers(if announced { buffers.clone() } else { Vec::new() }), &notices);
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(_)) = Pin::new(&mut body).poll_frame(&mut context) {}
        let socket = Socket { appetite, ..Socket::default() };
        let (mut gathered, outlet) = gather(socket, notices);
        for buffer in &buffers {
            let mut head = &b"head"[..];
            let mut rest = &buffer[..];
            while !(head.is_empty() && rest.is_empty()) {
                let slices = [IoSlice::new(head), IoSlice::new(&rest[..rest.len().min(16_384)])];
                if let Poll::Ready(written) = Pin::new(&mut gathered).poll_write_vectored(&mut context, &slices) {
                    let written = written.unwrap();
                    let of_head = written.min(head.len());
                    head = &head[of_head..];
                    rest = &rest[written - of_head..];
                }
            }
        }
        while Pin::new(&mut gathered).poll_shutdown(&mut context).is_pending() {}
        let expected = buffers.iter().flat_map(|buffer| [&b"head"[..], &buffer[..]]).collect::<Vec<_>>().concat();
        prop_assert_eq!(&lock(&outlet.0).io.received, &expected);
    }
}
