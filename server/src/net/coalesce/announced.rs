//! Word of the large buffers that bodies hand over, so that slices of them can be shared instead of copied.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Smaller buffers are not worth a notice.
const LARGE: usize = 32 * 1024;

/// Notices that are kept; with more, the oldest are forgotten, and what they tell of is copied.
const KEPT: usize = 64;

/// The buffers of one connection that are on their way. Clones are handles to the same.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Notices(Arc<Board>);

#[derive(Debug, Default)]
struct Board {
    notices: Mutex<VecDeque<Notice>>,
    bodies: AtomicU64,
}

#[derive(Debug)]
struct Notice {
    body: u64,
    buffer: Bytes,
}

impl Notices {
    fn board(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.0.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self, body: u64, buffer: &Bytes) {
        let mut board = self.board();
        if board.len() == KEPT {
            board.pop_front();
        }
        let buffer = buffer.clone();
        board.push_back(Notice { body, buffer });
    }

    /// Ends the notices of a body.
    fn withdraw(&self, body: u64) {
        self.board().retain(|notice| notice.body != body);
    }

    /// The buffer that a slice is a part of, cut to it. Its notice ends with the buffer's last byte.
    pub(super) fn find(&self, slice: &[u8]) -> Option<Bytes> {
        let mut board = self.board();
        let index = board.iter().position(|notice| is_part(slice, &notice.buffer))?;
        let buffer = &board.get(index)?.buffer;
        let part = buffer.slice_ref(slice);
        if slice.as_ptr_range().end == buffer.as_ptr_range().end {
            board.remove(index);
        }
        Some(part)
    }

    /// Ends the notices of buffers whose last byte is among the first `written` of these slices.
    pub(super) fn forget_written(&self, slices: &[IoSlice<'_>], mut written: usize) {
        for slice in slices {
            if slice.len() > written {
                return;
            }
            written -= slice.len();
            let end = slice.as_ptr_range().end;
            self.board().retain(|notice| notice.buffer.as_ptr_range().end != end);
        }
    }
}

fn is_part(slice: &[u8], buffer: &Bytes) -> bool {
    let (slice, buffer) = (slice.as_ptr_range(), buffer.as_ptr_range());
    buffer.start <= slice.start && slice.end <= buffer.end
}

/// A body that announces its large buffers.
#[derive(Debug)]
pub(in crate::net) struct Announced<B> {
    body: B,
    id: u64,
    notices: Notices,
    told: bool,
}

impl<B> Announced<B> {
    pub(in crate::net) fn new(body: B, notices: &Notices) -> Self {
        Self {
            body,
            id: notices.0.bodies.fetch_add(1, Ordering::Relaxed),
            notices: notices.clone(),
            told: false,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Announced<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
            && data.len() >= LARGE
        {
            self.notices.announce(self.id, data);
            self.told = true;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is still on its way then is copied.
impl<B> Drop for Announced<B> {
    fn drop(&mut self) {
        if self.told {
            self.notices.withdraw(self.id);
        }
    }
}
